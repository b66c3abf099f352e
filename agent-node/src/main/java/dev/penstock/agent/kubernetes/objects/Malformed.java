package dev.penstock.agent.kubernetes.objects;

/// A field of an object is not what it must be: the object's author is at fault, or its API is
/// another than we know.
final class Malformed extends Exception {
  private static final long serialVersionUID = 1L;

  Malformed(String message) {
    super(message, null, false, false);
  }
}
