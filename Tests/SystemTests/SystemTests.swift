import Testing

/// Tests of the real programs with real processes. One at a time: many of them
/// measure, and all of them load the machine.
@Suite(.serialized, .timeLimit(.minutes(2)))
enum SystemTests {}
