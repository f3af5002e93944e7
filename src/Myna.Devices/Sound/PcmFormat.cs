using Myna.Hardware.Backends;

namespace Myna.Devices.Sound;

/// <summary>How samples lie in memory, little-endian, a frame's channels one after the other.</summary>
/// <param name="Rate">Frames a second.</param>
/// <param name="Channels">Samples of a frame.</param>
/// <param name="Bytes">Of a sample: 1, 2 or 4.</param>
/// <param name="Shift">Bits to the left that fill a sample whose bits lie in the lower ones.</param>
/// <param name="Unsigned">Silence is the middle of the range.</param>
internal readonly record struct PcmFormat(int Rate, int Channels, int Bytes, int Shift = 0, bool Unsigned = false)
{
    public int FrameSize => Channels * Bytes;
}

/// <summary>Turns a guest's frames into the back end's: two channels of 16 bits at 48 kHz, between samples a straight line.</summary>
internal sealed class PcmConverter(IAudioVoice voice)
{
    private const int MostFrames = 1024;

    private readonly short[] _out = new short[2 * MostFrames];
    private int _count, _phase, _lastLeft, _lastRight;
    private ulong _frame;
    private bool _playing;

    /// <summary>Sound begins at this time.</summary>
    public void Start(ulong now)
    {
        Stop();
        _frame = Hardware.Time.Clock.ToTicks(now, IAudioBackend.Rate);
        (_phase, _lastLeft, _lastRight) = (0, 0, 0);
    }

    /// <summary>Plays whole frames.</summary>
    /// <param name="left">Which of the channels is heard on the left; one that there is not is silent. Likewise <paramref name="right"/>.</param>
    /// <param name="gainLeft">In 1/65536.</param>
    /// <param name="gainRight">In 1/65536.</param>
    public void Play(ReadOnlySpan<byte> frames, in PcmFormat format, int left, int right, int gainLeft, int gainRight)
    {
        _playing = true;
        for (int at = 0; at + format.FrameSize <= frames.Length; at += format.FrameSize)
        {
            ReadOnlySpan<byte> frame = frames.Slice(at, format.FrameSize);
            int l = (int)(Sample(frame, format, left) * (long)gainLeft >> 16), r = (int)(Sample(frame, format, right) * (long)gainRight >> 16);
            for (; _phase < IAudioBackend.Rate; _phase += format.Rate)
                Put(Between(_lastLeft, l), Between(_lastRight, r));
            _phase -= IAudioBackend.Rate;
            (_lastLeft, _lastRight) = (l, r);
        }
        Flush();
    }

    public void Stop()
    {
        if (!_playing)
            return;
        _playing = false;
        voice.Stop();
    }

    private int Between(int before, int after) => before + (int)((after - before) * (long)_phase / IAudioBackend.Rate);

    private static int Sample(ReadOnlySpan<byte> frame, in PcmFormat format, int channel)
    {
        if ((uint)channel >= (uint)format.Channels)
            return 0;
        ReadOnlySpan<byte> bytes = frame[(channel * format.Bytes)..];
        int value = format.Bytes switch
        {
            1 => bytes[0] << 24,
            2 => (bytes[0] | bytes[1] << 8) << 16,
            _ => (bytes[0] | bytes[1] << 8 | bytes[2] << 16 | bytes[3] << 24) << format.Shift,
        };
        return (format.Unsigned ? value ^ int.MinValue : value) >> 16;
    }

    private void Put(int left, int right)
    {
        _out[_count++] = (short)Math.Clamp(left, short.MinValue, short.MaxValue);
        _out[_count++] = (short)Math.Clamp(right, short.MinValue, short.MaxValue);
        if (_count == _out.Length)
            Flush();
    }

    private void Flush()
    {
        if (_count == 0)
            return;
        voice.Play(_frame, _out.AsSpan(0, _count));
        _frame += (uint)_count / 2;
        _count = 0;
    }
}
