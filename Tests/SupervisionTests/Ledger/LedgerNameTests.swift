import Supervision
import SystemPackage
import Testing

@Suite struct LedgerNameTests {
  private let names =
    [
      "/etc/procctl/procctl.toml", "/etc/procctl-procctl.toml", "/etc/procctl/procctl.toml.2", "/a b%/ü.toml",
      "/.hidden", "/" + String(repeating: "x", count: 4000), "/y" + String(repeating: "x", count: 4000),
    ].map { LedgerName(of: FilePath($0)) } + [LedgerName(of: nil)]

  @Test func areFileNames() {
    for name in self.names {
      for file in [name.file(number: 1), name.file(number: 999), name.draft(of: .max)] {
        #expect(file.utf8.count <= 255 && !file.contains("/") && !file.hasPrefix("."), "\(file)")
        #expect(file.utf8.allSatisfy { (0x21..<0x7f).contains($0) })
        #expect(name.owns(file))
      }
    }
    #expect(self.names[0].file(number: 1).hasPrefix("etc-procctl-procctl.toml-"))
  }

  @Test func areNobodyElses() {
    for (index, name) in self.names.enumerated() {
      for (other, otherName) in self.names.enumerated() where other != index {
        for file in [name.file(number: 1), name.file(number: 2), name.draft(of: 7)] {
          #expect(!otherName.owns(file), "\(file)")
        }
      }
    }
  }

  @Test func whatOnlyLooksSimilarIsNone() {
    let name = self.names[0]
    let first = name.file(number: 1)
    for file in [
      "", ".ledger", first + "x", "x" + first, first.replacing(".ledger", with: ".1.ledger"),
      first.replacing(".ledger", with: ".02.ledger"), first.replacing(".ledger", with: ".-2.ledger"),
      first.replacing(".ledger", with: ".1000.ledger"), first.replacing(".ledger", with: ".x.draft"),
    ] {
      #expect(!name.owns(file), "\(file)")
    }
  }
}
