// Shows each <time> by the reader's own clock. The page names the zone of its times, for readers without script.
"use strict";

const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
for (const time of document.querySelectorAll("time")) time.textContent = format.format(new Date(time.dateTime));
