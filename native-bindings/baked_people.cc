#include "baked_people.h"

namespace tredive {

void BakedPeople::Hold(const std::vector<uint8_t>& cells) {
  for (size_t cell = 0; cell < bakedS_.size(); cell++) {
    if (cells[cell]) bakedS_[cell] = kBakedS + kBakedForS;
  }
}

void BakedPeople::Follow(const std::vector<Rect>& known, const std::vector<uint8_t>& knownCells,
                         const std::vector<uint8_t>& foreground, int32_t width, int32_t height, float dtS) {
  for (size_t cell = 0; cell < bakedS_.size(); cell++) {
    if (knownCells[cell] || bakedS_[cell] == 0) continue;
    bakedS_[cell] -= dtS;
    if (bakedS_[cell] < kBakedS) bakedS_[cell] = 0;
  }
  for (const Rect& given : known) {
    const Rect rect = Clip(given, width, height);
    if (rect.w == 0) continue;
    int32_t area = 0;
    for (int32_t y = rect.y; y < rect.y + rect.h; y++) {
      for (int32_t x = rect.x; x < rect.x + rect.w; x++)
        area += foreground[static_cast<size_t>(y) * width + x];
    }
    const bool unseen = area * 10 < rect.w * rect.h;
    for (int32_t row = rect.y / kCell; row <= (rect.y + rect.h - 1) / kCell; row++) {
      for (int32_t col = rect.x / kCell; col <= (rect.x + rect.w - 1) / kCell; col++) {
        float& seenS = bakedS_[grid_.At(col, row)];
        if (seenS >= kBakedS) {
          seenS = kBakedS + kBakedForS;
        } else {
          seenS = unseen ? seenS + dtS : 0;
        }
      }
    }
  }
}

}  // namespace tredive
