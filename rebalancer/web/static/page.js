// Three comforts; every view works without them.
"use strict";

// A link may bring the token behind its `#`, which no browser sends anywhere: it is typed for the owner and forgotten.
const token = document.getElementById("token");
const logInByLink = () => {
  if (!location.hash.startsWith("#token=")) return;
  token.value = location.hash.slice("#token=".length);
  history.replaceState(null, "", location.pathname);
  token.form.requestSubmit();
};
if (token) {
  addEventListener("hashchange", logInByLink);
  logInByLink();
}

// The overview renews itself while it is looked at.
const live = document.getElementById("live");
if (live) {
  setInterval(async () => {
    if (document.hidden || live.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const renewed = page.getElementById("live");
      if (renewed) live.replaceChildren(...renewed.childNodes);
    } catch {
      // The page says how old its data is; the next turn tries again.
    }
  }, Number(live.dataset.every) * 1000);
}

// Moving one weight moves the others that are not locked, so that the sum stays what it was.
const form = document.querySelector("form.weights");
if (form) {
  form.classList.add("scripted");
  const whole = Number(form.dataset.sum);
  const sum = form.querySelector(".sum");
  const sliders = [...form.querySelectorAll("input[type=range]")];
  const box = (slider) => document.getElementById(slider.dataset.for);
  const locked = (slider) => form.querySelector(`[data-lock="${slider.dataset.for}"]`).checked;
  const value = (slider) => Number(box(slider).value) || 0;
  // As fine as the finest figure there is: a locked 33.333 leaves the others a sum of three decimals too.
  const places = () => Math.max(2, ...[...form.querySelectorAll("input[inputmode=decimal]")].map((each) => (each.value.split(".")[1] || "").length));
  const rounded = (number) => Math.round(number * 10 ** places()) / 10 ** places();
  const put = (slider, number) => {
    const text = String(rounded(number));
    box(slider).value = text;
    slider.value = text;
  };
  const added = document.getElementById("add_percent");
  const extra = () => Number(added.value) || 0;
  const total = (some) => some.reduce((all, slider) => all + value(slider), 0);
  const tell = () => {
    const all = rounded(total(sliders) + extra());
    sum.textContent = all === whole ? `Sum ${all} %` : `Sum ${all} %: ${rounded(whole - all)} to go`;
    sum.classList.toggle("bad", all !== whole);
  };
  // What is neither locked nor being moved shares what is left, in proportion.
  const shareRest = (moved) => {
    const others = sliders.filter((slider) => slider !== moved && !locked(slider));
    const room = whole - extra() - total(sliders.filter((slider) => slider !== moved && locked(slider)));
    if (moved) put(moved, others.length ? Math.min(Number(moved.value), room) : room);
    const left = Math.max(0, room - (moved ? value(moved) : 0));
    const before = total(others);
    let given = 0;
    others.forEach((slider, place) => {
      const share = before ? value(slider) / before : 1 / others.length;
      const part = place === others.length - 1 ? left - given : rounded(left * share);
      given += part;
      put(slider, Math.max(0, part));
    });
    tell();
  };
  for (const moved of sliders) {
    moved.addEventListener("input", () => shareRest(moved));
    box(moved).addEventListener("input", () => { moved.value = box(moved).value; tell(); });
  }
  added.addEventListener("input", tell);
  added.addEventListener("change", () => shareRest(null));
  tell();
}
