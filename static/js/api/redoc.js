// The API's document as a page to read. The nonce lets the reader add its own style sheet under a strict policy.
const place = document.getElementById("redoc");

window.Redoc.init(
  place.dataset.schema,
  { nonce: place.dataset.nonce, disableSearch: true, hideLoading: true, nativeScrollbars: true },
  place,
);
