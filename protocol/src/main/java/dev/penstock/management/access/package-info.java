/// Who may ask the management port what: settings, tokens, roles, and protection from web pages.
/// Pure.
@NullMarked
package dev.penstock.management.access;

import org.jspecify.annotations.NullMarked;
