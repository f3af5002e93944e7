using System.Buffers.Binary;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Sound;

/// <summary>A stream descriptor with its DMA engine (Intel HDA specification 1.0a, sections 3.3.35 and 4.5). Not locked: its controller is.</summary>
[Stateful("hda-stream")]
internal sealed partial class HdaStream
{
    private const int DescriptorSize = 16, MostBytes = 1 << 14;

    // What a stream does at once when the machine stood still: a quarter of a second.
    private const int MostPart = 4;

    private readonly AddressSpace _memory;
    private readonly PcmConverter? _output;
    [NotSaved("of one move")] private readonly byte[] _buffer = new byte[MostBytes];

    [Saved(1)] private uint _control;
    [Saved(2)] private byte _status;
    [Saved(3)] private uint _position;
    [Saved(4)] private uint _length;
    [Saved(5)] private byte _last;
    [Saved(6)] private ushort _format;
    [Saved(7)] private ulong _list;

    // The entry of the list under way, and how far.
    [Saved(8)] private byte _entry;
    [Saved(9)] private uint _offset;

    // While it runs: since when, and the frames done.
    [Saved(10)] private ulong _since;
    [Saved(11)] private ulong _done;

    /// <param name="voice">What an output is heard by; null for an input.</param>
    public HdaStream(AddressSpace memory, IAudioVoice? voice)
    {
        _memory = memory;
        _output = voice is null ? null : new PcmConverter(voice);
    }

    public bool IsRunning => (_control & HdaRegister.RUN) != 0 && (_control & HdaRegister.SRST) == 0;

    /// <summary>Bytes done in the cyclic buffer (SDnLPIB).</summary>
    public uint Position => _position;

    /// <summary>An event that the stream interrupts for.</summary>
    public bool Interrupts => (_status & _control & HdaRegister.StatusEvents) != 0;

    private int Tag => (int)(_control >> 20 & 15);

    /// <summary>Sample format of section 3.7.1; rates that nobody uses are 48 kHz / 8 at least.</summary>
    internal PcmFormat Format
    {
        get
        {
            int rate = ((_format & 1 << 14) != 0 ? 44_100 : 48_000) * Math.Min((_format >> 11 & 7) + 1, 4) / ((_format >> 8 & 7) + 1);
            return new PcmFormat(rate, (_format & 15) + 1, (_format >> 4 & 7) switch { 0 => 1, 1 => 2, _ => 4 }, Unsigned: (_format >> 4 & 7) == 0);
        }
    }

    public void Reset(bool sticky = false)
    {
        _output?.Stop();
        _control = sticky ? HdaRegister.SRST : 0;
        (_status, _position, _length, _last, _format, _list) = (0, 0, 0, 0, 0, 0);
        (_entry, _offset, _since, _done) = (0, 0, 0, 0);
    }

    public uint Read(int register) => register switch
    {
        HdaRegister.SDCTL => _control | (uint)(_status | (IsRunning ? HdaRegister.FIFORDY : 0)) << 24,
        HdaRegister.SDLPIB => _position,
        HdaRegister.SDCBL => _length,
        HdaRegister.SDLVI => _last,
        // FIFO size in bytes.
        HdaRegister.SDFIFOS => (uint)(_output is null ? 0x77 : 0xbf) | (uint)_format << 16,
        HdaRegister.SDBDPL => (uint)_list,
        HdaRegister.SDBDPU => (uint)(_list >> 32),
        _ => 0,
    };

    /// <param name="mask">The bits that are written.</param>
    public void Write(int register, uint value, uint mask, ulong now)
    {
        switch (register)
        {
            case HdaRegister.SDCTL:
                _status &= (byte)~((value & mask) >> 24 & HdaRegister.StatusEvents);
                WriteControl((_control & ~mask | value & mask) & HdaRegister.ControlBits, now);
                break;
            case HdaRegister.SDCBL when !IsRunning:
                _length = _length & ~mask | value & mask;
                break;
            case HdaRegister.SDLVI when !IsRunning:
                _last = (byte)(_last & ~mask | value & mask);
                break;
            case HdaRegister.SDFIFOS when !IsRunning:
                _format = (ushort)((_format & ~(mask >> 16) | (value & mask) >> 16) & 0x7f7f);
                break;
            case HdaRegister.SDBDPL when !IsRunning:
                _list = _list & ~(ulong)(mask & ~0x7fu) | value & mask & ~0x7fu;
                break;
            case HdaRegister.SDBDPU when !IsRunning:
                _list = _list & ~((ulong)mask << 32) | (ulong)(value & mask) << 32;
                break;
        }
    }

    private void WriteControl(uint control, ulong now)
    {
        // In reset it stays until the bit is cleared (section 3.3.35); then the registers are as new.
        if ((control & HdaRegister.SRST) != 0)
        {
            Reset(sticky: true);
            return;
        }
        bool before = IsRunning;
        _control = control;
        if (IsRunning == before)
            return;
        (_since, _done) = (now, 0);
        if (IsRunning)
            _output?.Start(now);
        else
            _output?.Stop();
    }

    /// <summary>Moves what is due until now.</summary>
    /// <param name="codec">Who listens.</param>
    /// <param name="master">The function may read and write memory.</param>
    /// <returns>Whether the position changed.</returns>
    public bool Advance(ulong now, HdaCodec codec, bool master)
    {
        if (!IsRunning)
            return false;
        PcmFormat format = Format;
        ulong due = Clock.ToTicks(now - Math.Min(now, _since), (ulong)format.Rate);
        ulong frames = due - Math.Min(due, _done), most = (ulong)(format.Rate / MostPart);
        if (frames == 0)
            return false;
        if (frames > most)
        {
            // The machine stood still: so did the stream.
            (_since, _done, frames) = (now, 0, most);
            _output?.Start(now);
        }
        else
            _done = due;
        ulong left = master ? frames * (uint)format.FrameSize : 0;
        int whole = MostBytes / format.FrameSize * format.FrameSize;
        while (left != 0)
        {
            int n = (int)Math.Min(left, (ulong)whole);
            if (!Move(_buffer.AsSpan(0, n)))
            {
                _status |= HdaRegister.DESE;
                _control &= ~HdaRegister.RUN;
                _output?.Stop();
                return true;
            }
            if (_output is not null && codec.Plays(Tag))
                _output.Play(_buffer.AsSpan(0, n), format, codec.FirstChannel, Math.Min(codec.FirstChannel + 1, format.Channels - 1), codec.Gain(0), codec.Gain(1));
            left -= (uint)n;
        }
        return true;
    }

    /// <summary>When there is something to do again: an interrupt, or at the latest after some milliseconds.</summary>
    public ulong Deadline
    {
        get
        {
            const ulong Longest = 10_000_000;
            if (!IsRunning)
                return ulong.MaxValue;
            PcmFormat format = Format;
            ulong longest = Clock.FromTicks(_done, (ulong)format.Rate) + Longest;
            ulong wait = longest;
            if ((_control & HdaRegister.IOCE) != 0 && Descriptor(out _, out uint length, out bool interrupt) && interrupt && length > _offset)
                wait = Clock.FromTicks(_done + (length - _offset + (uint)format.FrameSize - 1) / (uint)format.FrameSize, (ulong)format.Rate);
            return _since + Math.Min(wait, longest);
        }
    }

    /// <summary>Moves bytes between the buffers of the list and <paramref name="data"/>: an input's are silence.</summary>
    /// <returns>False when the list is none.</returns>
    private bool Move(Span<byte> data)
    {
        if (_output is null)
            data.Fill(Format.Unsigned ? (byte)0x80 : (byte)0);
        for (int empty = 0; data.Length != 0;)
        {
            if (!Descriptor(out ulong address, out uint length, out bool interrupt) || empty > byte.MaxValue)
                return false;
            int n = (int)Math.Min(length - Math.Min(length, _offset), (uint)data.Length);
            empty = n == 0 ? empty + 1 : 0;
            if (_output is null ? !_memory.Write(address + _offset, data[..n]) : !_memory.Read(address + _offset, data[..n]))
                return false;
            data = data[n..];
            _offset += (uint)n;
            Count((uint)n);
            if (_offset < length)
                continue;
            _offset = 0;
            if (interrupt)
                _status |= HdaRegister.BCIS;
            _entry = _entry >= _last ? (byte)0 : (byte)(_entry + 1);
        }
        return true;
    }

    private void Count(uint bytes)
    {
        _position += bytes;
        if (_position >= _length)
            _position = _length == 0 ? 0 : _position % _length;
    }

    /// <summary>The entry of the buffer descriptor list under way (section 3.6.3).</summary>
    private bool Descriptor(out ulong address, out uint length, out bool interrupt)
    {
        Span<byte> entry = stackalloc byte[DescriptorSize];
        bool there = _memory.Read(_list + (ulong)_entry * DescriptorSize, entry);
        address = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        length = BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]);
        interrupt = (entry[12] & 1) != 0;
        return there;
    }

    private void Sync()
    {
        _control &= HdaRegister.ControlBits;
        // A damaged stream must not make time overflow.
        if (_since > ulong.MaxValue >> 2 || _done > ulong.MaxValue >> 16)
            (_control, _since, _done) = (_control & ~HdaRegister.RUN, 0, 0);
        _output?.Stop();
        if (IsRunning)
            _output?.Start(_since + Clock.FromTicks(Math.Min(_done, 1ul << 40), (ulong)Format.Rate));
    }
}
