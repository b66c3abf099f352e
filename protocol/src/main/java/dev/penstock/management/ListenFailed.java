package dev.penstock.management;

import java.io.IOException;

/// The management port could not be bound; the text names the setting, the address and what is
/// wrong.
public final class ListenFailed extends IOException {
  private static final long serialVersionUID = 1L;

  ListenFailed(String message, Throwable cause) {
    super(message, cause);
  }
}
