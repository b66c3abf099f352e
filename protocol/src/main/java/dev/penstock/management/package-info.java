/// The HTTP port for operators and their tools: health, readiness, metrics.
@NullMarked
package dev.penstock.management;

import org.jspecify.annotations.NullMarked;
