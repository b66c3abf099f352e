package dev.penstock.management.api;

import static java.util.Objects.requireNonNull;

import dev.penstock.protocol.control.Problem;
import java.nio.charset.StandardCharsets;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCodes;

/// What is answered to requests that come to nothing (RFC 9457), whatever their path.
public final class Problems {
  private static final ContentType TYPE = ContentTypes.parse(Problem.MEDIA_TYPE);

  private Problems() {}

  /// A problem as a response.
  ///
  /// @param status of HTTP, from 400, one that has a name
  /// @param detail what was found and what was expected
  public static HttpResponse response(int status, String detail) {
    var code = requireNonNull(StatusCodes.get(status));
    String body = new Problem(code.reason(), status, detail).encode();
    return HttpResponse.create()
        .withStatus(code)
        .withEntity(TYPE, body.getBytes(StandardCharsets.UTF_8));
  }
}
