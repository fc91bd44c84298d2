internal import CProcCtlChild
internal import Glibc
internal import SystemPackage

/// What a child's setup points to, which has to stay where it is until the child runs its program.
struct SetupPointees {
  private let path: [CChar]
  private let descriptors: [procctl_descriptor]
  private let directory: [CChar]?
  private let outOfMemoryScore: [CChar]?
  private let groups: [gid_t]
  private let limits: [procctl_limit]

  init(path: [CChar], descriptors: [procctl_descriptor], of command: Command) {
    self.path = path
    self.descriptors = descriptors
    self.directory = command.directory.map { path in
      path.withPlatformString { Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1)) }
    }
    self.outOfMemoryScore = command.setup.outOfMemoryScore.map { ByteString("\($0)").zeroTerminated }
    self.groups = command.setup.credentials?.supplementaryGroups ?? []
    self.limits = command.setup.limits.map { limit in
      procctl_limit(
        resource: limit.resource.number, soft: limit.soft ?? .max, hard: limit.hard ?? .max)
    }
  }

  /// The pointers in the setup are good for the body only.
  func withPointers<Result>(
    in setup: inout procctl_child_setup, _ body: (inout procctl_child_setup) -> Result
  ) -> Result {
    self.path.withUnsafeBufferPointer { path in
      self.descriptors.withUnsafeBufferPointer { descriptors in
        self.groups.withUnsafeBufferPointer { groups in
          self.limits.withUnsafeBufferPointer { limits in
            self.directory.withPointer { directory in
              self.outOfMemoryScore.withPointer { score in
                setup.path = path.baseAddress
                setup.descriptors = descriptors.baseAddress
                setup.descriptor_count = descriptors.count
                setup.groups = groups.baseAddress
                setup.group_count = groups.count
                setup.limits = limits.baseAddress
                setup.limit_count = limits.count
                setup.directory = directory
                setup.oom_score = score
                return body(&setup)
              }
            }
          }
        }
      }
    }
  }
}

extension Optional where Wrapped == [CChar] {
  fileprivate func withPointer<Result>(_ body: (UnsafePointer<CChar>?) -> Result) -> Result {
    guard let bytes = self else { return body(nil) }
    return bytes.withUnsafeBufferPointer { body($0.baseAddress) }
  }
}
