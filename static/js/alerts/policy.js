// The policy editor: a step shows only the fields of what it does. Everything else is a plain form.
for (const step of document.querySelectorAll("[data-step]")) {
    const kind = step.querySelector('select[name$="-kind"]');
    const show = () => {
        step.dataset.kind = kind.value;
        for (const part of step.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(kind.value);
    };
    kind.addEventListener("change", show);
    show();
}
