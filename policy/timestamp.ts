// Timestamps as numbers, by arithmetic alone: the language's own Date is a clock too, and policy/ has none.

const TIMESTAMP = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?(?:Z|([+-])(\d\d):(\d\d))$/

/** Seconds since the epoch of a timestamp that the schema has let through (RFC 3339, with its zone). */
export function secondsOf(timestamp: string): number {
  const parts = TIMESTAMP.exec(timestamp)
  if (!parts) throw new Error(`"${timestamp}" is no timestamp`)
  const [year, month, day, hours, minutes, seconds] = parts.slice(1, 7).map((part) => Number(part ?? 0))
  const zone = (Number(parts[8] ?? 0) * 60 + Number(parts[9] ?? 0)) * (parts[7] === '-' ? -60 : 60)
  return daysOf(year!, month!, day!) * 86_400 + hours! * 3600 + minutes! * 60 + seconds! - zone
}

/** Days since the epoch. Years are counted from March, so that a leap day is a year's last. */
function daysOf(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1
  const daysBefore = Math.floor((153 * ((month + 9) % 12) + 2) / 5)
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400)
  return years * 365 + leapDays + daysBefore + day - 1 - EPOCH_DAYS
}
/** From 1 March of year 0 to 1 January 1970. */
const EPOCH_DAYS = 719_468
