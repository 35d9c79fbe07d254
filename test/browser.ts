import { existsSync } from 'node:fs';

/** Where Debian and others put it; nothing is downloaded. */
const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The path of a Chromium; undefined where there is none. */
export const findBrowser = (): string | undefined => places.find((path) => existsSync(path));
