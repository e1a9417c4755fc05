#pragma once
#include "waybill/drivers/sqlite_busy_handler.hpp"
