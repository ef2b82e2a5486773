"""What a picture is: decoding within bounds, perceptual hashes, distance."""

from checker.fingerprint.decode import Decoder, InProcessDecoder
from checker.fingerprint.hashes import distance_bits, is_plain, parse_code, phash256, popcount
from checker.fingerprint.pictures import fingerprint_bytes, fingerprint_file, picture_files

__all__ = [
    "Decoder",
    "InProcessDecoder",
    "distance_bits",
    "fingerprint_bytes",
    "fingerprint_file",
    "is_plain",
    "parse_code",
    "phash256",
    "picture_files",
    "popcount",
]
