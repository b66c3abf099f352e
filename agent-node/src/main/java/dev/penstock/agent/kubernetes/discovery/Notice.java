package dev.penstock.agent.kubernetes.discovery;

import dev.penstock.agent.kubernetes.objects.ObjectRef;

/// Something that the author of an object should know, as long as it holds: to become an Event
/// once, however often discovery says it.
///
/// @param uid of the object
/// @param reason in upper camel case, that of a condition where there is one
/// @param message at most [#MAX_MESSAGE] characters
public record Notice(ObjectRef regarding, String uid, Level level, String reason, String message) {
  /// What the API takes.
  public static final int MAX_MESSAGE = 1024;

  /// The type of the Event.
  public enum Level {
    NORMAL("Normal"),
    WARNING("Warning");

    private final String label;

    Level(String label) {
      this.label = label;
    }

    /// Its name in JSON.
    public String label() {
      return label;
    }
  }

  public Notice {
    message = message.length() <= MAX_MESSAGE ? message : message.substring(0, MAX_MESSAGE);
  }

  // A look at a large cluster tells thousands of these again; see ObjectRef.

  @Override
  public boolean equals(Object other) {
    return this == other
        || (other instanceof Notice that
            && message.equals(that.message)
            && reason.equals(that.reason)
            && level == that.level
            && uid.equals(that.uid)
            && regarding.equals(that.regarding));
  }

  @Override
  public int hashCode() {
    return (message.hashCode() * 31 + reason.hashCode()) * 31 + regarding.hashCode();
  }

  /// The same for the same notice, for ever and in every agent: usable in the Event's name, so that
  /// two agents do not say it twice. 16 hexadecimal digits.
  public String key() {
    return TunnelKey.digest(
        String.join("\0", uid, regarding.toString(), level.name(), reason, message), 8);
  }
}
