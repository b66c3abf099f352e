package dev.penstock.management;

import java.util.List;

/// Says whether this process is ready to serve. Called from any thread, for every probe: it has to
/// answer from what is known already.
@FunctionalInterface
public interface Readiness {
  /// Why it is not ready, one line each; empty when it is.
  List<String> reasons();
}
