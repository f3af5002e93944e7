using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Myna.Hardware.Backends;

namespace Myna.Machines;

/// <summary>
/// Writes what a machine plays to a RIFF/WAVE file, 16 bits, two channels, 48 kHz: all voices together, without the pauses in which there is
/// none. The header is right after every piece, so that the file can be played whatever becomes of this program.
/// </summary>
public sealed class WavFile : IAudioBackend, IDisposable
{
    private const int HeaderSize = 44, FrameSize = 4;

    // Frames: a voice that lags behind the others is waited for no longer than this; shorter pauses are kept.
    private const int MostPending = IAudioBackend.Rate / 5, ShortPause = IAudioBackend.Rate / 2;

    // The header's sizes have 32 bits.
    private const long MostBytes = uint.MaxValue - HeaderSize;

    private readonly Lock _lock = new();
    private readonly FileStream _file;
    private readonly List<Voice> _voices = [];
    private readonly int[] _mix = new int[2 * (MostPending + ShortPause)];
    private readonly short[] _samples = new short[2 * (MostPending + ShortPause)];

    // Frames that are mixed and not written: the first one's number, and how many.
    private ulong _start;
    private int _count;
    private long _written;
    private bool _failed;

    /// <exception cref="MachineException">The file cannot be written.</exception>
    public WavFile(string path)
    {
        try
        {
            _file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0);
            WriteHeader();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new MachineException($"the sound file {path} cannot be written: {e.Message}", e);
        }
    }

    /// <inheritdoc/>
    public IAudioVoice Open()
    {
        var voice = new Voice(this);
        lock (_lock)
            _voices.Add(voice);
        return voice;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            Write(_count);
            _failed = true;
            _file.Dispose();
        }
    }

    private void Add(Voice voice, ulong frame, ReadOnlySpan<short> samples)
    {
        lock (_lock)
        {
            if (_count == 0 && !_voices.Exists(v => v.Playing) && frame > _start + ShortPause)
                _start = frame;
            voice.Playing = true;
            while (samples.Length != 0)
            {
                int n = Math.Min(samples.Length / 2, MostPending);
                Mix(frame, samples[..(2 * n)]);
                frame += (uint)n;
                samples = samples[(2 * n)..];
            }
            voice.End = frame;
            Settle();
        }
    }

    private void Mix(ulong frame, ReadOnlySpan<short> samples)
    {
        // What comes too late has been written without it.
        int late = (int)Math.Min(_start - Math.Min(_start, frame), (uint)samples.Length / 2);
        samples = samples[(2 * late)..];
        frame += (uint)late;
        MakeRoom(frame + (uint)samples.Length / 2);
        int at = samples.Length == 0 ? 0 : (int)(frame - _start);
        for (int i = 0; i < samples.Length; i++)
            _mix[2 * at + i] += samples[i];
        _count = Math.Max(_count, at + samples.Length / 2);
    }

    /// <summary>What lies more than the longest wait before a frame is final.</summary>
    private void MakeRoom(ulong end)
    {
        if (end <= _start + (ulong)(MostPending + ShortPause))
            return;
        ulong until = end - MostPending;
        Write((int)Math.Min(until - _start, (uint)_count));
        if (until - _start > ShortPause)
            _start = until;
        else if (until > _start)
        {
            _count = (int)(until - _start);
            Write(_count);
        }
    }

    private void Stop(Voice voice)
    {
        lock (_lock)
        {
            voice.Playing = false;
            Settle();
        }
    }

    /// <summary>Writes what no voice adds to any more.</summary>
    private void Settle()
    {
        ulong end = _start + (uint)_count;
        foreach (Voice voice in _voices)
        {
            if (voice.Playing)
                end = Math.Min(end, Math.Max(voice.End, _start));
        }
        Write((int)(end - _start));
    }

    private void Write(int frames)
    {
        if (frames <= 0)
            return;
        Span<short> samples = _samples.AsSpan(0, 2 * frames);
        for (int i = 0; i < samples.Length; i++)
            samples[i] = (short)Math.Clamp(_mix[i], short.MinValue, short.MaxValue);
        _mix.AsSpan(2 * frames, 2 * (_count - frames)).CopyTo(_mix);
        _mix.AsSpan(2 * (_count - frames), 2 * frames).Clear();
        _count -= frames;
        _start += (uint)frames;
        if (_failed || _written + frames * FrameSize > MostBytes)
            return;
        try
        {
            _file.Write(MemoryMarshal.AsBytes(samples));
            _written += frames * FrameSize;
            WriteHeader();
        }
        catch (IOException)
        {
            // A full disk: the machine goes on without being heard.
            _failed = true;
        }
    }

    private void WriteHeader()
    {
        Span<byte> header = stackalloc byte[HeaderSize];
        "RIFF"u8.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)(_written + HeaderSize - 8));
        "WAVEfmt "u8.CopyTo(header[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], 16);
        BinaryPrimitives.WriteInt16LittleEndian(header[20..], 1);
        BinaryPrimitives.WriteInt16LittleEndian(header[22..], 2);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], IAudioBackend.Rate);
        BinaryPrimitives.WriteInt32LittleEndian(header[28..], IAudioBackend.Rate * FrameSize);
        BinaryPrimitives.WriteInt16LittleEndian(header[32..], FrameSize);
        BinaryPrimitives.WriteInt16LittleEndian(header[34..], 16);
        "data"u8.CopyTo(header[36..]);
        BinaryPrimitives.WriteUInt32LittleEndian(header[40..], (uint)_written);
        _file.Position = 0;
        _file.Write(header);
        _file.Position = HeaderSize + _written;
    }

    private sealed class Voice(WavFile file) : IAudioVoice
    {
        public bool Playing { get; set; }

        /// <summary>The frame behind the last one.</summary>
        public ulong End { get; set; }

        public void Play(ulong frame, ReadOnlySpan<short> samples) => file.Add(this, frame, samples);

        public void Stop() => file.Stop(this);
    }
}
