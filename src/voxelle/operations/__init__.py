"""What turns a stream into a stream: t2t, stt, tts, vad, filter_audio, filter_text."""
