package dev.penstock.testkit.bench.peer;

/// What kind of code has to get warm.
public enum WarmUp {
  /// Machine code: ready after its first packets.
  NATIVE,
  /// A JVM: slow until the compiler has seen the load.
  JIT
}
