// Starts Swagger UI: its own page would do so with an inline script, which our policy forbids.
"use strict";

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
follow();
dark.addEventListener("change", follow);

const place = document.createElement("div"); // what Swagger UI puts there has a main and an h1 of its own
document.querySelector("main").replaceWith(place);

// controls that Swagger UI gives no name
const NAMES = { ".servers select": "Server", ".close-modal": "Close", ".response-control-media-type select": "Media type" };
const name = () => {
    for (const [selector, text] of Object.entries(NAMES)) {
        for (const control of document.querySelectorAll(`${selector}:not([aria-label])`)) control.setAttribute("aria-label", text);
    }
};
new MutationObserver(name).observe(place, { childList: true, subtree: true });

SwaggerUIBundle({
    url: "../openapi.json",
    domNode: place,
    deepLinking: true,
    docExpansion: "none",
    filter: true,
    validatorUrl: null,
    // a 401 must not open the browser's own dialog, nor may the browser add a password that it remembers
    requestInterceptor: (request) => Object.assign(request, { credentials: "omit" }),
});
