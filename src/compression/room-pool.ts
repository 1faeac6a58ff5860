import type { BlockRoom } from './deflate-block.js'

/** With fewer rooms than this a stream might wait for itself: a block is held back until the next one's room is there. */
const LEAST_FOR_EACH = 2

/** A stream's part of the rooms. */
export interface RoomUser<Room extends BlockRoom> {
  /**
   * Waits until there is a room.
   *
   * @throws RoomsClosed after {@link close}
   */
  take(): Promise<Room>
  /** Gives a room back, for the next block of whomever. */
  give(room: Room): void
  /** Ends the waiting. Rooms that were not given back are left to their last user. */
  close(): void
}

/** Thrown where a room is waited for that will not come, and nobody is there to want it. */
export class RoomsClosed extends Error {}

interface Waiter<Room> {
  order: number
  /** Whether its stream has too few rooms by now to go on. */
  isNeedy(): boolean
  resolve(room: Room): void
  reject(error: Error): void
}

/**
 * The rooms of several streams. Who came first is served first, so that what was begun first is ready first; but each has
 * enough of them to go on.
 */
export class RoomPool<Room extends BlockRoom> {
  readonly #make: () => Room
  readonly #most: number
  readonly #free: Room[] = []
  readonly #waiting: Waiter<Room>[] = []
  #made = 0
  #users = 0

  /** @param most rooms, and two more for each stream that would have less */
  constructor(make: () => Room, most: number) {
    this.#make = make
    this.#most = most
  }

  /** A place in the queue for a stream, behind all that are there. */
  join(): RoomUser<Room> {
    const order = this.#users++
    let held = 0
    let isClosed = false
    const isNeedy = () => held < LEAST_FOR_EACH
    return {
      take: async () => {
        if (isClosed) throw new RoomsClosed()
        const room = this.#takeNow(isNeedy()) ?? (await this.#wait({ order, isNeedy }))
        held++
        return room
      },
      give: room => {
        held--
        this.#give(room)
      },
      close: () => {
        isClosed = true
        this.#made -= held
        this.#leave(order)
      },
    }
  }

  /** How many rooms streams have at the moment. */
  get #used(): number {
    return this.#made - this.#free.length
  }

  #takeNow(isNeedy: boolean): Room | undefined {
    if (this.#used >= this.#most && !isNeedy) return undefined
    const room = this.#free.pop()
    if (room !== undefined) return room
    this.#made++
    return this.#make()
  }

  #wait(waiter: Pick<Waiter<Room>, 'order' | 'isNeedy'>): Promise<Room> {
    return new Promise((resolve, reject) => {
      const behind = this.#waiting.findIndex(({ order }) => order > waiter.order)
      this.#waiting.splice(behind < 0 ? this.#waiting.length : behind, 0, { ...waiter, resolve, reject })
    })
  }

  /**
   * A room that was made beyond the limit for one stream is kept for such streams: if another one got it, the next stream
   * with too few would have one more made, and so on.
   */
  #give(room: Room): void {
    const needy = this.#waiting.find(({ isNeedy }) => isNeedy())
    const next = needy ?? (this.#used > this.#most ? undefined : this.#waiting[0])
    if (next === undefined) {
      this.#free.push(room)
      return
    }
    this.#waiting.splice(this.#waiting.indexOf(next), 1)
    next.resolve(room)
  }

  #leave(order: number): void {
    const leaving = this.#waiting.filter(waiter => waiter.order === order)
    for (const waiter of leaving) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter.reject(new RoomsClosed())
    }
  }
}
