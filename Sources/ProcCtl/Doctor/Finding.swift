package import SystemPackage

/// One thing procctl can use on this machine, or cannot.
package struct Finding: Sendable, Equatable {
  package enum Area: String, Sendable, CaseIterable {
    case kernel, proc, cgroup, namespaces, rights, sockets, systemd, directories
  }

  package enum Standing: String, Sendable {
    case yes, no
    /// Neither good nor bad: what is worth knowing.
    case note
  }

  package var area: Area
  package var name: String
  package var standing: Standing
  /// Why not, or what exactly; empty if there is nothing to add.
  package var detail: String
  /// Without it procctl cannot do its work at all.
  package var isEssential: Bool

  package init(
    _ area: Area, _ name: String, _ standing: Standing, _ detail: String = "", isEssential: Bool = false
  ) {
    self.area = area
    self.name = name
    self.standing = standing
    self.detail = detail
    self.isEssential = isEssential
  }

  /// Nothing can be said about it, because the file that would say it cannot be read.
  package init(_ area: Area, _ name: String, unreadable path: String, _ error: Errno) {
    self.init(area, name, .no, "cannot tell: \(path) cannot be read: \(error)")
  }

  /// - Parameter obstacle: Nil if it is there.
  package init(
    _ area: Area, _ name: String, obstacle: String?, otherwise detail: String = "", isEssential: Bool = false
  ) {
    self.init(area, name, obstacle == nil ? .yes : .no, obstacle ?? detail, isEssential: isEssential)
  }
}
