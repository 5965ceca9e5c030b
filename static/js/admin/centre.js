// Every page of the command centre. Django's date pickers are told the server's clock: "Today" and "Now" mean its civil time.
const page = document.getElementById("container");
if (page) document.body.dataset.adminUtcOffset = page.dataset.utcOffset;
