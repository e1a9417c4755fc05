// host:port:user:database, for the drivers that take the parts.
#pragma once

#include <sstream>
#include <string>

struct Place {
  explicit Place(const std::string& text) {
    std::istringstream parts(text);
    std::string number;
    std::getline(parts, host, ':');
    std::getline(parts, number, ':');
    std::getline(parts, user, ':');
    std::getline(parts, database);
    port = static_cast<unsigned short>(std::stoi(number));
  }

  std::string host;
  unsigned short port = 0;
  std::string user;
  std::string database;
};
