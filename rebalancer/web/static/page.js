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
  const put = (slider, number) => {
    const text = String(Math.round(number * 100) / 100);
    box(slider).value = text;
    slider.value = text;
  };
  const tell = () => {
    const extra = Number(document.getElementById("add_percent").value) || 0;
    const total = Math.round((sliders.reduce((all, slider) => all + value(slider), 0) + extra) * 100) / 100;
    sum.textContent = total === whole ? `Sum ${total} %` : `Sum ${total} %: ${Math.round((whole - total) * 100) / 100} to go`;
    sum.classList.toggle("bad", total !== whole);
  };
  for (const moved of sliders) {
    moved.addEventListener("input", () => {
      const others = sliders.filter((slider) => slider !== moved && !locked(slider));
      const fixed = sliders.filter((slider) => slider !== moved && locked(slider)).reduce((all, slider) => all + value(slider), 0);
      const wanted = Math.min(Number(moved.value), whole - fixed);
      const left = whole - fixed - wanted;
      const before = others.reduce((all, slider) => all + value(slider), 0);
      if (!others.length) { put(moved, whole - fixed); tell(); return; }
      put(moved, wanted);
      let given = 0;
      others.forEach((slider, place) => {
        const share = before ? value(slider) / before : 1 / others.length;
        const part = place === others.length - 1 ? left - given : Math.round(left * share * 100) / 100;
        given += part;
        put(slider, Math.max(0, part));
      });
      tell();
    });
    box(moved).addEventListener("input", () => { moved.value = box(moved).value; tell(); });
  }
  document.getElementById("add_percent").addEventListener("input", tell);
  tell();
}
