// Asks for the page again when the server says that it changed, and exchanges what is different,
// so that focus, selection and opened parts stay.
"use strict";

function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  const isElement = old.nodeType === Node.ELEMENT_NODE;
  if (!isElement || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const known = new Map([...old.children].filter((it) => it.id).map((it) => [it.id, it]));
  const wanted = [...fresh.childNodes];
  wanted.forEach((node, index) => {
    let here = old.childNodes[index] ?? null;
    const same = node.id ? known.get(node.id) : undefined;
    if (same && same !== here) {
      old.insertBefore(same, here);
      here = same;
    }
    if (here) update(here, node);
    else old.append(node);
  });
  while (old.childNodes.length > wanted.length) old.lastChild.remove();
}

const connection = document.getElementById("connection");
let isAsking = false;
let isAskedAgain = false;

async function refresh() {
  isAskedAgain = isAsking;
  if (isAsking || document.hidden) return;
  isAsking = true;
  try {
    const answer = await fetch(location.href);
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement;
      update(document.querySelector("main"), fresh.querySelector("main"));
      if (focused.isConnected && focused !== document.activeElement) {
        focused.focus({ preventScroll: true });
      }
      connection.textContent = "This page updates by itself.";
    }
  } catch {
    connection.textContent = "The server does not answer. It is asked again.";
  }
  isAsking = false;
  if (isAskedAgain) refresh();
}

const changes = new EventSource("/changes");
changes.onmessage = refresh;
changes.onerror = () => {
  connection.textContent = "The connection to the server is lost. It is tried again.";
};
document.addEventListener("visibilitychange", refresh);
