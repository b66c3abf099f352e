// Numbers and times for people. Pure.

const NOT_KNOWN = '–';
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const WHOLE = new Intl.NumberFormat('en');

export function count(value) {
  return value === null || value === undefined ? NOT_KNOWN : WHOLE.format(value);
}

export function bytes(value) {
  if (value === null || value === undefined) {
    return NOT_KNOWN;
  }
  let unit = 0;
  let amount = value;
  while (amount >= 999.5 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit++;
  }
  const digits = unit === 0 || amount >= 99.95 ? 0 : 1;
  return `${amount.toFixed(digits)} ${UNITS[unit]}`;
}

export function rate(value) {
  return value === null || value === undefined ? NOT_KNOWN : `${bytes(value)}/s`;
}

/** How long ago, in the two units that matter. */
export function age(time, now) {
  if (!time) {
    return NOT_KNOWN;
  }
  return duration(Math.max(0, now - Date.parse(time)));
}

/** How long until then. */
export function until(time, now) {
  return time ? duration(Math.max(0, Date.parse(time) - now)) : NOT_KNOWN;
}

function duration(millis) {
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) {
    return `${seconds} s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return `${minutes} min ${seconds % 60} s`;
  }
  const hours = Math.floor(minutes / 60);
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The time of day, with the date when it is another day. */
export function clock(time, now) {
  if (!time) {
    return NOT_KNOWN;
  }
  const then = new Date(time);
  const day = new Date(now).toDateString() === then.toDateString();
  const two = (number) => String(number).padStart(2, '0');
  const hour = `${two(then.getHours())}:${two(then.getMinutes())}:${two(then.getSeconds())}`;
  return day
    ? hour
    : `${then.getFullYear()}-${two(then.getMonth() + 1)}-${two(then.getDate())} ${hour}`;
}

export function text(value) {
  return value === null || value === undefined || value === '' ? NOT_KNOWN : String(value);
}

/** A word of the API, such as `not_listening`, for people. */
export function word(value) {
  return text(value).replaceAll('_', ' ');
}

/** Host and port as one, IPv6 in brackets. */
export function address(host, port) {
  if (port === null || port === undefined) {
    return NOT_KNOWN;
  }
  return host.includes(':') && !host.startsWith('[') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host of an address with a port, without brackets. */
export function hostOf(socketAddress) {
  return String(socketAddress).replace(/:[0-9]*$/, '').replace(/^\[|\]$/g, '');
}
