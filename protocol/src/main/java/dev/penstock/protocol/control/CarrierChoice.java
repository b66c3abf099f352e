package dev.penstock.protocol.control;

import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/// Which carriers one end is allowed to use, by its settings.
public enum CarrierChoice {
  /// Either; yamux where both ends can.
  AUTO,
  YAMUX,
  JSON;

  /// Whether this end may use it.
  public boolean allows(Carrier carrier) {
    return switch (this) {
      case AUTO -> true;
      case YAMUX -> carrier == Carrier.YAMUX;
      case JSON -> carrier == Carrier.JSON;
    };
  }

  /// The extensions that this end names: `others`, and [Capability#CREDITS] when it may use JSON.
  public Set<Capability> capabilities(Set<Capability> others) {
    EnumSet<Capability> all = EnumSet.noneOf(Capability.class);
    all.addAll(others);
    if (allows(Carrier.JSON)) {
      all.add(Capability.CREDITS);
    }
    return Capability.copyOf(all);
  }

  /// Its name in settings.
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
