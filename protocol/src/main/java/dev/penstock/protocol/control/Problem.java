package dev.penstock.protocol.control;

/// An HTTP error's body in JSON, after RFC 9457 with `type` = `about:blank`.
///
/// @param title the short text of the status code
/// @param status the HTTP status code
/// @param detail what happened and what was expected, for people
public record Problem(String title, int status, String detail) {
  public static final String MEDIA_TYPE = "application/problem+json";

  private static final int MAX_LENGTH = 64 * 1024;

  public String encode() {
    return Json.write(
        Json.object()
            .put("type", "about:blank")
            .put("title", title)
            .put("status", status)
            .put("detail", detail));
  }

  /// Reads a body of at most 65,536 characters; a text that is absent is `""`, an absent status 0.
  public static Problem decode(String body) throws MalformedMessage {
    JsonFields fields = Json.read("problem", body, MAX_LENGTH);
    return new Problem(
        fields.text("title", MAX_LENGTH),
        (int) fields.number("status", 0, 999, 0),
        fields.text("detail", MAX_LENGTH));
  }
}
