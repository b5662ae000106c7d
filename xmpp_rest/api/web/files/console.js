// The console: logs an account in, sends, and shows what arrives. One module without a framework.
//
// Every request is made with credentials: "omit", so that a 401 never opens the browser's own dialog. What others wrote is put into the
// page as text only. The token is in sessionStorage and nowhere else; the password is in its field until it is sent, and then nowhere.

const CLIENT_ID = "xmpp-rest-console";
const KEPT = "token"; // its name in sessionStorage
const MOST_LINES = 500; // events that are shown
const MOST_IDS = 2000; // of events that are remembered, so that none is shown twice
const FIRST_PAUSE = 500; // milliseconds until a broken stream is opened again; twice as long after each failure
const LAST_PAUSE = 30_000;
const FOLLOWED = 90_000; // milliseconds for which a confirmed message may still become a delivered one

const at = (id) => document.getElementById(id);
const { client, rooms: roomsDomain, silence } = document.querySelector("main").dataset;

/** What is open while somebody is logged in: token, jid, a signal that it is over, the rooms by address, how many messages were sent. */
let session = null;

// -- requests

/** An answer that is no success; `message` is a sentence for people, `status` 0 where there was no answer at all. */
class Refused extends Error {
    /** `after`: the seconds after which it may be tried again; `isOver`: whether the credentials are good no more. */
    constructor(message, { status = 0, after = 0, isOver = false } = {}) {
        super(message);
        Object.assign(this, { status, after, isOver });
    }
}

/** The response to a request of the session, or of nobody. Throws Refused for other statuses than 2xx. */
async function ask(path, { token = session?.token, json, headers = {}, ...options } = {}) {
    const fields = { Accept: "application/json", ...headers };
    if (token) fields.Authorization = `Bearer ${token}`;
    if (json) {
        fields["Content-Type"] = "application/json";
        Object.assign(options, { method: options.method ?? "POST", body: JSON.stringify(json) });
    }
    let response;
    try {
        response = await fetch(path, { credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", headers: fields, ...options });
    } catch (error) {
        throw error.name === "AbortError" ? error : new Refused("The gateway cannot be reached.");
    }
    if (!response.ok) throw await refusalOf(response);
    return response;
}

/** What an error says, in any of the forms of our APIs. */
async function refusalOf(response) {
    const { status } = response;
    const body = await response.json().catch(() => null);
    const said = typeof body === "string" ? body : body?.error_description ?? body?.detail ?? stanzaError(body?.error);
    const isOver = status === 401 || (status === 403 && body?.error?.condition === "not-authorized"); // /rest says 403 to a wrong token
    const after = Number(response.headers.get("Retry-After")) || 0;
    return new Refused(said || `The gateway answered with status ${status}.`, { status, after, isOver });
}

/** The sentence of a stanza error, or of an error of /rest. */
function stanzaError(error) {
    if (!error || typeof error !== "object") return "";
    const said = error.text || (error.condition ?? "").replaceAll("-", " ");
    const why = error.context?.remedy ?? error.context?.error;
    return why ? `${said}: ${why}` : said;
}

const form = (fields) => ({ method: "POST", token: "", body: new URLSearchParams(fields) });

/** Wait, unless the signal ends it before. */
function pause(milliseconds, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });
}

// -- logging in and out

async function tokenFor(username, password) {
    const fields = { grant_type: "password", client_id: CLIENT_ID, username, password, scope: "sasl_auth", ttl: "3600" };
    const response = await ask("../oauth/token", form(fields));
    return (await response.json()).access_token;
}

/** The address of the account that a token belongs to: what an echo says would be the sender. */
async function ownerOf(token) {
    const probe = { kind: "message", to: "console.invalid", body: "?" };
    const response = await ask("../rest/echo", { token, json: probe });
    const { from } = await response.json();
    const jid = String(from ?? "").split("/")[0];
    if (!jid.includes("@")) throw new Refused("This token is not the token of an account.", { status: 403 });
    return jid;
}

async function logIn(getToken) {
    if (at("login").ariaBusy === "true") return;
    at("login").ariaBusy = "true";
    at("trouble").textContent = "";
    try {
        const token = await getToken();
        await begin(token, await ownerOf(token));
    } catch (error) {
        if (error.status >= 400 && error.status < 500 && error.status !== 429) sessionStorage.clear(); // what was kept is good no more
        complain(error.message);
        (at("by-token").hidden ? at("password") : at("token")).focus();
    } finally {
        at("login").ariaBusy = "false";
    }
}

function begin(token, jid) {
    sessionStorage.setItem(KEPT, token);
    session = { token, jid, over: new AbortController(), rooms: new Map(), sent: 0, refreshing: false };
    at("token").value = "";
    at("jid").textContent = `Logged in as ${jid}`;
    at("login").hidden = true;
    at("who").hidden = at("work").hidden = false;
    at("to").focus();
    listen(session);
    refresh();
}

/** Back to the form, with a sentence if there is something to say. */
function end(said = "") {
    session?.over.abort();
    session = null;
    sessionStorage.clear();
    state("Disconnected");
    at("who").hidden = at("work").hidden = true;
    at("message").value = at("to").value = at("jid").textContent = "";
    for (const id of ["events", "rooms", "contacts", "outcome"]) at(id).replaceChildren(); // the next one here must not find them
    at("login").hidden = false;
    complain(said);
    (at("by-token").hidden ? at("address") : at("token")).focus();
}

async function logOut() {
    const { token } = session;
    end();
    try {
        await ask("../oauth/revoke", { ...form({ token }), keepalive: true }); // with an Authorization field it would be 401
    } catch {
        complain("You are logged out here, but the gateway could not be told: the token is good until its hour is over.");
    }
}

function complain(said) {
    at("trouble").textContent = said;
}

/** Whether an error has ended the session, as the token is good no more. */
function hasEnded(error) {
    if (error.isOver) end(`You have been logged out: ${error.message}`);
    return Boolean(error.isOver);
}

function chooseWay(byToken) {
    at("by-token").hidden = !byToken;
    at("by-password").hidden = byToken;
    at("other").textContent = byToken ? "Use a password" : "Use a token";
    complain("");
    (byToken ? at("token") : at("address")).focus();
}

// -- events

function state(word) {
    at("state").textContent = at("state").dataset.state = word;
}

/** Read the stream of the session until that is over, and open it again whenever it breaks off. */
async function listen(mine) {
    const { signal } = mine.over;
    const seen = new Set();
    let last = "";
    let wait = FIRST_PAUSE;
    while (!signal.aborted) {
        const silent = new AbortController();
        let timer = 0;
        const heard = () => {
            clearTimeout(timer);
            timer = setTimeout(() => silent.abort(), silence * 1000);
        };
        const either = AbortSignal.any([signal, silent.signal]);
        heard();
        try {
            last ||= await newest(mine, either);
            const response = await ask("../rest/stream", { headers: { "Last-Event-ID": last, Accept: "text/event-stream" }, signal: either });
            state("Connected");
            for await (const event of eventsOf(response.body, heard)) {
                wait = FIRST_PAUSE;
                if (signal.aborted) return;
                if (event.id) last = event.id;
                if (isNew(event.id, seen)) arrived(event);
                else if (event.comment?.includes("unknown")) show("quiet", "", "Events may be missing here: the archive no longer has the last one.");
            }
        } catch (error) {
            if (signal.aborted || hasEnded(error)) return;
            wait = Math.max(wait, 1000 * (error.after ?? 0));
        } finally {
            clearTimeout(timer);
        }
        if (signal.aborted) return;
        state("Reconnecting");
        await pause(wait * (0.75 + Math.random() / 2), signal);
        wait = Math.min(2 * wait, LAST_PAUSE);
    }
}

/** The id after which the stream of a new session begins. With it nothing is lost even if the stream breaks off before its first event. */
async function newest(mine, signal) {
    const query = { kind: "iq", type: "set", to: mine.jid, archive: { max: 1, before: "" } };
    const response = await ask("../rest", { json: query, signal });
    const body = await response.json();
    const result = (body.xmpp ?? [body]).find((stanza) => stanza.kind === "iq");
    return result?.result?.page?.last || "~0"; // before everything, in an empty archive
}

/** Whether an event was not shown before. Those that are not archived have ids that may come again, and are never sent again. */
function isNew(id, seen) {
    if (id === undefined || (id && seen.has(id))) return false;
    if (id && !id.includes("~")) seen.add(id);
    if (seen.size > MOST_IDS) seen.delete(seen.values().next().value);
    return true;
}

/** The events of a stream (WHATWG HTML §9.2.6), and its comments as `{comment}`. `heard` is called whenever something comes. */
async function* eventsOf(body, heard) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let event = { id: "", name: "message", data: [] };
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        heard();
        const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
        rest = lines.pop();
        for (const line of lines) {
            const [, field, text] = /^([^:]*):? ?([^]*)$/.exec(line);
            if (!line) {
                if (event.data.length) yield { ...event, data: event.data.join("\n") };
                event = { id: event.id, name: "message", data: [] };
            } else if (!field) yield { comment: text };
            else if (field === "data") event.data.push(text);
            else if (field === "id") event.id = text;
            else if (field === "event") event.name = text;
        }
    }
}

function arrived({ name, data }) {
    const stanza = JSON.parse(data);
    if (name === "unmappable") return show("quiet", "", stanza.error);
    const { kind = name, type = "", from = "", body, subject, error } = stanza;
    if (type === "error") show("error", from, `refused: ${stanzaError(error) || "no reason was given"}`, stanza);
    else if (body) show("text", from, subject ? `${subject}: ${body}` : body, stanza);
    else if (subject) show("quiet", from, `subject: ${subject}`, stanza);
    else show("quiet", from, PRESENCES[kind === "presence" ? type : ""] ?? described(kind, type, stanza), stanza);
    const isRoom = roomsDomain && from.split("/")[0].endsWith(`@${roomsDomain}`);
    if (type.includes("subscribe") || (isRoom && !session.rooms.has(from.split("/")[0]))) refresh();
    return undefined;
}

const PRESENCES = {
    subscribe: "asks to see your presence",
    subscribed: "lets you see their presence",
    unsubscribe: "no longer wants to see your presence",
    unsubscribed: "does not let you see their presence",
    unavailable: "is unavailable",
};
const ENVELOPE = new Set(["kind", "type", "id", "to", "from", "lang", "delay", "stanza_id", "origin_id"]);

/** What a stanza without a text is: its kind, and the names of what is in it. */
function described(kind, type, stanza) {
    if (kind === "presence" && !type) return ["is available", stanza.show, stanza.status].filter(Boolean).join(", ");
    return [kind, type, ...Object.keys(stanza).filter((key) => !ENVELOPE.has(key))].filter(Boolean).join(" · ");
}

function show(kind, who, said, stanza = {}) {
    const stamp = new Date(stanza.delay?.stamp ?? stanza.delay ?? Date.now());
    const when = Number.isNaN(stamp.getTime()) ? new Date() : stamp;
    const time = made("time", when.toLocaleTimeString([], { hour12: false }));
    time.dateTime = when.toISOString();
    const line = made("p", "");
    line.className = kind;
    line.append(time, " ");
    if (who) line.append(made("b", nameOf(who, stanza.type)), " ");
    line.append(made("span", said));
    keepInSight();
    at("events").append(line);
    while (at("events").childElementCount > MOST_LINES) at("events").firstElementChild.remove();
}

let scrolls = false;

/** Scroll to the last line, if the one before is in sight: once for all lines of a frame, as measuring costs more than adding them. */
function keepInSight() {
    const log = at("events");
    if (scrolls || log.scrollHeight - log.scrollTop - log.clientHeight > 48) return;
    scrolls = true;
    requestAnimationFrame(() => {
        scrolls = false;
        log.scrollTop = log.scrollHeight;
    });
}

/** How a sender is called: in a room by who speaks there, else by the address without what the client adds. */
function nameOf(address, type) {
    const [bare, ...rest] = address.split("/");
    return type === "groupchat" && rest.length ? `${rest.join("/")} in ${session.rooms.get(bare) ?? bare}` : bare;
}

/** A new element with a text in it: never markup. */
function made(tag, text) {
    const element = document.createElement(tag);
    element.textContent = text;
    return element;
}

// -- sending

const OUTCOMES = {
    accepted: "accepted: the gateway keeps it until the server has it",
    written: "written: on its way to the server",
    confirmed: "confirmed: the server has processed it",
    delivered: "delivered: the recipient has it",
};
const isDecided = (word) => word === "delivered" || word === "refused";

function outcome(word, why = "") {
    at("outcome").dataset.outcome = word;
    at("outcome").textContent = why ? `${word}: ${why}` : OUTCOMES[word] ?? word;
}

async function send() {
    const mine = session;
    const number = ++mine.sent;
    const isLatest = () => session === mine && mine.sent === number;
    const to = at("to").value.trim();
    const text = at("message").value;
    const type = mine.rooms.has(to.toLowerCase()) ? "groupchat" : "chat";
    outcome("sending");
    try {
        const stanza = { kind: "message", type, to, body: text, ...(type === "chat" && { receipt: true }) };
        const response = await ask("../rest", { json: stanza, headers: { Prefer: "wait=5" } });
        if (response.status !== 202) {
            const { error } = await response.json().catch(() => ({}));
            if (isLatest()) outcome("refused", stanzaError(error) || "no reason was given");
            return;
        }
        await follow(mine, response.headers.get("Stanza-Id"), text, isLatest);
    } catch (error) {
        const doubt = [0, 502, 504].includes(error.status) ? " It may have taken the message all the same." : ""; // the answer was lost
        if (session === mine && !hasEnded(error)) outcome("refused", error.message + doubt);
    }
}

/** Show the outcome of what was accepted, until it is decided or something else is sent. The field is emptied once it is not refused. */
async function follow(mine, id, text, isLatest) {
    const until = Date.now() + FOLLOWED;
    const field = at("message");
    let kept = true;
    let last = { state: "accepted" };
    for (let wait = FIRST_PAUSE; isLatest(); wait = Math.min(1.6 * wait, 10_000)) {
        if (id) last = await outcomeOf(id, last);
        if (!isLatest()) return;
        const { state: word, error, isForgotten } = last;
        outcome(word, word === "refused" ? stanzaError(error) || "no reason was given" : "");
        if (word === "refused" && !kept && !field.value) field.value = text;
        if (word !== "refused" && kept) {
            kept = false;
            if (field.value === text) field.value = "";
        }
        if (!id || isForgotten || isDecided(word) || (word === "confirmed" && Date.now() > until)) return;
        await pause(wait, mine.over.signal);
    }
}

/** What the gateway knows of the stanza; the last that was known, where it cannot say, or (404) was started anew and knows it no more. */
async function outcomeOf(id, last) {
    try {
        return await (await ask(`../rest/outcome/${encodeURIComponent(id)}`)).json();
    } catch (error) {
        if (error.isOver) throw error;
        return { ...last, isForgotten: error.status === 404 };
    }
}

// -- rooms and contacts

async function refresh() {
    const mine = session;
    if (!mine || mine.refreshing) return;
    mine.refreshing = true;
    const [rooms, contacts] = await Promise.all([roomsDomain ? listOf("rooms") : [], listOf("contacts")]);
    mine.refreshing = false;
    if (session !== mine) return;
    mine.rooms = new Map(rooms.map(({ id, name }) => [id.includes("@") ? id : `${id}@${roomsDomain}`, name || id]));
    fill("rooms", [...mine.rooms].map(([address, name]) => ({ address, name })), "You are in no room.");
    fill("contacts", contacts.map(({ jid, subscription, ask: asked }) => ({ address: jid, note: noteOf(subscription, asked) })), "You have no contacts.");
}

/** A list of the client API; empty where there is none, or it cannot be had now. */
async function listOf(name) {
    try {
        return await (await ask(client + name)).json();
    } catch {
        return [];
    }
}

function noteOf(subscription, asked) {
    if (asked === "in") return "asks to be a contact";
    return asked === "out" ? "was asked" : "";
}

function fill(id, entries, nothing) {
    const items = entries.map(({ address, name, note }) => {
        const item = made("li", "");
        const button = made("button", name ?? address);
        button.type = "button";
        if (name) button.append(" ", made("small", address));
        button.addEventListener("click", () => {
            at("to").value = address;
            at("message").focus();
        });
        item.append(button);
        if (note) item.append(" ", made("small", note));
        return item;
    });
    at(id).replaceChildren(...(items.length ? items : [made("li", nothing)]));
}

// -- the page

at("login").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!at("by-token").hidden) {
        const token = at("token").value.trim();
        if (/^[!-~]+$/.test(token)) logIn(async () => token); // what else there may be cannot stand in a field of a request
        else complain(token ? "A token has no blanks, and no letters with accents." : "Write a token, or use a password.");
        return;
    }
    const [username, password] = [at("address").value.trim(), at("password").value];
    at("password").value = "";
    if (username && password) logIn(() => tokenFor(username, password));
    else complain("Write an address and its password.");
});
at("other").addEventListener("click", () => chooseWay(at("by-token").hidden));
at("leave").addEventListener("click", logOut);
at("refresh").addEventListener("click", refresh);
at("send").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
});
at("send").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    at("send").requestSubmit();
});

at("login").hidden = false;
const kept = sessionStorage.getItem(KEPT);
if (kept) logIn(async () => kept); // the page was loaded anew
else at("address").focus();
