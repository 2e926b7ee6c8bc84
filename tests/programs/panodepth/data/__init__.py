from .dataset import MP3D
