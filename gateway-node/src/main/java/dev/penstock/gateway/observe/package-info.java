/// What operators see: meters, and the log lines that bad peers cause.
@NullMarked
package dev.penstock.gateway.observe;

import org.jspecify.annotations.NullMarked;
