// How names compare where a mapping ignores case.

/**
 * Lower case, but for the one sign beyond ASCII whose lower case is an ASCII letter: KELVIN SIGN, which looks
 * like a K. An identity provider that lets people make groups may take such a name for a new one.
 */
export function foldCase(name: string): string {
  return name.includes(KELVIN_SIGN)
    ? name.split(KELVIN_SIGN).map(lowerCase).join(KELVIN_SIGN)
    : lowerCase(name)
}
const KELVIN_SIGN = '\u212a'

function lowerCase(name: string): string {
  return name.toLowerCase()
}
