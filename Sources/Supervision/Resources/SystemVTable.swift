internal import ProcCtl

/// The text of /proc/sysvipc/shm, sem and msg (proc(5), sysvipc(7)): a heading, and a line for each
/// object. No I/O.
package enum SystemVTable {
  package struct Entry: Sendable, Hashable {
    package var identifier: Int32
    /// The owner, who may have been changed since.
    package var uid: UInt32

    package init(identifier: Int32, uid: UInt32) {
      self.identifier = identifier
      self.uid = uid
    }
  }

  /// The objects; none if a column is missing, and without lines that are not as they should be.
  package static func entries(_ text: some Sequence<UInt8>) -> [Entry] {
    let lines = Array(text).split(separator: UInt8(ascii: "\n"))
    guard let heading = lines.first else { return [] }
    let columns = heading.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
    guard let identifier = columns.firstIndex(where: ["shmid", "semid", "msqid"].contains),
      let uid = columns.firstIndex(of: "uid")
    else { return [] }
    return lines.dropFirst().compactMap { line in
      let fields = line.split(separator: UInt8(ascii: " "))
      guard fields.count > max(identifier, uid), let number = Int32(decimal: fields[identifier]), number >= 0,
        let owner = UInt32(decimal: fields[uid])
      else { return nil }
      return Entry(identifier: number, uid: owner)
    }
  }
}
