package dev.penstock.management.access;

/// Who asks.
///
/// @param name of the token or of the client certificate; [#ANONYMOUS] where none is needed
public record Caller(String name, Role role) {
  /// The name of who needs none.
  public static final String ANONYMOUS = "anonymous";
}
