using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Hardware.Backends;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Sound;

/// <summary>
/// A High Definition Audio controller (Intel HDA specification 1.0a) as ICH6 and ICH9 have it, with one codec: four input and four output
/// streams, command rings of 256 entries. Streams advance with the machine's clock.
/// LIMIT: the link's wall clock is not reset with the link, no bidirectional streams, no unsolicited responses (nothing is plugged or pulled).
/// </summary>
[Stateful("hda")]
public sealed partial class HdaController : PciDevice
{
    private const int Inputs = 4, Outputs = 4, StreamCount = Inputs + Outputs;
    private const ulong WallClockHertz = 24_000_000;
    private const uint StreamMask = (1 << StreamCount) - 1;

    // Four outputs, four inputs, 64-bit addresses; version 1.0.
    private const uint Capabilities = Outputs << 12 | Inputs << 8 | 1 | 1u << 24;
    private const uint Payloads = 0x3c | 0x1d << 16;

    private readonly Lock _lock = new();
    private readonly AddressSpace _memory;
    private readonly Clock _clock;
    private readonly ClockTimer _timer;

    [Saved(20)] private readonly HdaStream[] _streams;
    [Saved(21)] private readonly HdaCodec _codec = new();
    [Saved(22)] private uint _gctl;
    [Saved(23)] private ushort _wakeen;
    [Saved(24)] private ushort _statests;
    [Saved(25)] private byte _gsts;
    [Saved(26)] private uint _intctl;
    [Saved(27)] private uint _ssync;
    [Saved(28)] private ulong _dplbase;

    [NotSaved("what the interrupts were told")] private uint _pending;

    /// <param name="audio">Who listens; null for nobody.</param>
    /// <param name="ich9">An ICH9's rather than an ICH6's.</param>
    public HdaController(AddressSpace memory, Clock clock, IAudioBackend? audio = null, bool ich9 = true)
        : base("hda", new PciIdentity(0x8086, (ushort)(ich9 ? 0x293e : 0x2668), 0x040300, RevisionId: (byte)(ich9 ? 3 : 1), SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _memory = memory;
        _clock = clock;
        _timer = clock.CreateTimer(Expire);
        audio ??= NoAudio.Instance;
        _streams = [.. Enumerable.Range(0, StreamCount).Select(i => new HdaStream(memory, i < Inputs ? null : audio.Open()))];
        AddBar(0, 0x4000, is64Bit: false, prefetchable: false);
        AddIntx();
        // HDCTL: in High Definition Audio mode; TCSEL.
        Config.Define(0x40, 1, 1);
        Config.Define(0x44, 1, 0, 7);
    }

    /// <inheritdoc/>
    protected override void AttachedTo(PciHost host)
    {
        if (host.HasMsi)
            AddMsi();
    }

    private bool InReset => (_gctl & HdaRegister.CRST) == 0;

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (size == 8)
        {
            _ = ReadBar(bar, offset, 4, out ulong low);
            _ = ReadBar(bar, offset + 4, 4, out ulong high);
            value = low | high << 32;
            return true;
        }
        lock (_lock)
        {
            Advance();
            value = (ulong)Read((int)offset & ~3) >> (int)(offset & 3) * 8 & (1ul << size * 8) - 1;
            Update();
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (size == 8)
        {
            _ = WriteBar(bar, offset, 4, (uint)value);
            return WriteBar(bar, offset + 4, 4, value >> 32);
        }
        int shift = (int)(offset & 3) * 8;
        uint mask = (uint)((1ul << size * 8) - 1 << shift);
        lock (_lock)
        {
            Advance();
            Write((int)offset & ~3, (uint)value << shift & mask, mask);
            Update();
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        lock (_lock)
        {
            _gctl = 0;
            _codec.Reset();
            ResetRegisters();
            _wakeen = _statests = 0;
            _pending = 0;
            _timer.Cancel();
        }
        base.Reset();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (_lock)
        {
            Check();
            _pending = Pending;
            SetIntx(_pending != 0);
            Arm();
        }
    }

    private uint Read(int register)
    {
        if (register >= HdaRegister.Streams && register < HdaRegister.Streams + StreamCount * HdaRegister.StreamStride)
            return _streams[(register - HdaRegister.Streams) / HdaRegister.StreamStride].Read(register % HdaRegister.StreamStride);
        return register switch
        {
            HdaRegister.GCAP => Capabilities,
            HdaRegister.OUTPAY or HdaRegister.OUTSTRMPAY => Payloads,
            HdaRegister.GCTL => _gctl,
            HdaRegister.WAKEEN => _wakeen | (uint)_statests << 16,
            HdaRegister.GSTS => _gsts,
            HdaRegister.INTCTL => _intctl,
            HdaRegister.INTSTS => Status,
            HdaRegister.WALCLK or HdaRegister.WALCLKA => (uint)Clock.ToTicks(_clock.Now, WallClockHertz),
            HdaRegister.SSYNC or HdaRegister.OldSSYNC => _ssync,
            HdaRegister.DPLBASE => (uint)_dplbase,
            HdaRegister.DPUBASE => (uint)(_dplbase >> 32),
            >= HdaRegister.LICBA and < HdaRegister.LICBA + StreamCount * HdaRegister.StreamStride when (register - HdaRegister.LICBA) % HdaRegister.StreamStride == 0
                => _streams[(register - HdaRegister.LICBA) / HdaRegister.StreamStride].Position,
            _ => ReadCommands(register),
        };
    }

    private void Write(int register, uint value, uint mask)
    {
        if (register == HdaRegister.GCTL)
        {
            WriteGlobalControl(_gctl & ~mask | value);
            return;
        }
        if (register == HdaRegister.WAKEEN)
        {
            _wakeen = (ushort)((_wakeen & ~mask | value) & 1);
            _statests &= (ushort)~(value >> 16);
            return;
        }
        // Everything else is held in reset (section 3.3.7).
        if (InReset)
            return;
        if (register >= HdaRegister.Streams && register < HdaRegister.Streams + StreamCount * HdaRegister.StreamStride)
        {
            _streams[(register - HdaRegister.Streams) / HdaRegister.StreamStride].Write(register % HdaRegister.StreamStride, value, mask, _clock.Now);
            return;
        }
        switch (register)
        {
            case HdaRegister.GSTS:
                _gsts &= (byte)~value;
                break;
            case HdaRegister.INTCTL:
                _intctl = (_intctl & ~mask | value) & (HdaRegister.GlobalInterrupt | HdaRegister.ControllerInterrupt | StreamMask);
                break;
            case HdaRegister.SSYNC or HdaRegister.OldSSYNC:
                _ssync = (_ssync & ~mask | value) & StreamMask;
                break;
            case HdaRegister.DPLBASE:
                _dplbase = _dplbase & ~(ulong)(mask & ~0x7eu) | value & ~0x7eu;
                break;
            case HdaRegister.DPUBASE:
                _dplbase = _dplbase & ~((ulong)mask << 32) | (ulong)value << 32;
                break;
            default:
                WriteCommands(register, value, mask);
                break;
        }
    }

    private void WriteGlobalControl(uint value)
    {
        bool reset = InReset;
        _gctl = value & (HdaRegister.CRST | HdaRegister.UNSOL);
        if (!reset && InReset)
        {
            _gctl = 0;
            ResetRegisters();
        }
        else if (reset && !InReset)
        {
            // The codec asks for its address (section 4.3).
            _codec.Reset();
            _statests |= 1;
        }
        // A flush is done at once.
        if ((value & HdaRegister.FCNTRL) != 0 && !InReset)
            _gsts |= (byte)HdaRegister.FSTS;
    }

    /// <summary>What a controller reset leaves: WAKEEN and STATESTS (section 3.3.7).</summary>
    private void ResetRegisters()
    {
        foreach (HdaStream stream in _streams)
            stream.Reset();
        (_gsts, _intctl, _ssync, _dplbase) = (0, 0, 0, 0);
        ResetCommands();
    }

    /// <summary>INTSTS (section 3.3.15).</summary>
    private uint Status
    {
        get
        {
            uint status = CommandInterrupt || (_statests & _wakeen) != 0 ? HdaRegister.ControllerInterrupt : 0;
            for (int i = 0; i < StreamCount; i++)
                status |= _streams[i].Interrupts ? 1u << i : 0;
            return (status & _intctl) != 0 ? status | HdaRegister.GlobalInterrupt : status;
        }
    }

    private uint Pending => (_intctl & HdaRegister.GlobalInterrupt) != 0 ? Status & _intctl & ~HdaRegister.GlobalInterrupt : 0;

    /// <summary>Streams move what is due.</summary>
    private void Advance()
    {
        ulong now = _clock.Now;
        Span<byte> position = stackalloc byte[4];
        for (int i = 0; i < StreamCount; i++)
        {
            if (!_streams[i].Advance(now, _codec, BusMaster) || (_dplbase & 1) == 0)
                continue;
            // DMA position in current buffer (section 3.6.1).
            BinaryPrimitives.WriteUInt32LittleEndian(position, _streams[i].Position);
            _ = _memory.Write((_dplbase & ~0x7ful) + (ulong)i * 8, position);
        }
    }

    private void Expire()
    {
        lock (_lock)
        {
            Advance();
            Update();
        }
    }

    /// <summary>Interrupts and the timer follow the registers.</summary>
    private void Update()
    {
        uint pending = Pending;
        if (pending != _pending)
        {
            bool more = (pending & ~_pending) != 0;
            _pending = pending;
            SetIntx(pending != 0);
            if (more && MsiEnabled)
                SendMsi();
        }
        Arm();
    }

    private void Arm()
    {
        ulong deadline = ulong.MaxValue;
        foreach (HdaStream stream in _streams)
            deadline = Math.Min(deadline, stream.Deadline);
        if (deadline == ulong.MaxValue)
            _timer.Cancel();
        else
            _timer.Arm(Math.Max(deadline, _clock.Now + 1));
    }
}
