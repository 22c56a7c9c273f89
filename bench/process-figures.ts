import { readdirSync, readFileSync } from 'node:fs'

// Linux counts processor time for user space in hundredths of a second on every architecture.
const TICK_US = 10_000

/** User and system time of a process and its living children so far, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  let ticks = 0
  for (const member of tree(pid)) {
    // The command name in parentheses may hold anything; utime and stime are the 12th and 13th fields after it.
    const stat = readFileSync(`/proc/${member}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * TICK_US
}

export interface Memory {
  /** Resident pages, and the part of them that no file backs, in MiB. */
  readonly resident: number
  readonly anonymous: number
}

/** Memory of a process and its living children. Shared pages of several processes count once each. */
export function memory(pid: number): Memory {
  let resident = 0
  let anonymous = 0
  for (const member of tree(pid)) {
    const text = readFileSync(`/proc/${member}/smaps_rollup`, 'latin1')
    resident += kib(text, 'Rss')
    anonymous += kib(text, 'Anonymous')
  }
  return { resident: resident / 1024, anonymous: anonymous / 1024 }
}

/** The highest resident size that the process had so far, in MiB. */
export function peakResident(pid: number): number {
  let sum = 0
  for (const member of tree(pid)) sum += kib(readFileSync(`/proc/${member}/status`, 'latin1'), 'VmHWM')
  return sum / 1024
}

function kib(text: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
}

function tree(pid: number): number[] {
  const members = [pid]
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim()
    if (children !== '') members.push(...children.split(' ').flatMap(child => tree(Number(child))))
  }
  return members
}
