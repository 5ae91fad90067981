// Puts alerts on top of the list as the server sends them. Each is a list item that the server has made.
"use strict";
const list = document.getElementById("live");
const state = document.getElementById("live-state");
const most = 50;
const source = new EventSource(list.dataset.from);
source.onopen = () => { state.textContent = state.dataset.connected; state.className = "chip good"; };
source.onerror = () => { state.textContent = state.dataset.lost; state.className = "chip bad"; };
source.onmessage = (event) => {
  list.insertAdjacentHTML("afterbegin", event.data);
  list.hidden = false;
  document.getElementById("live-none")?.remove();
  while (list.children.length > most) list.lastElementChild.remove();
};
