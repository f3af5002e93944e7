using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;
using Myna.Hardware.Time;

namespace Myna.Devices.Network;

/// <summary>
/// Realtek RTL8139D Fast Ethernet controller (RTL8139D(L) datasheet): four transmit descriptors in registers, one receive
/// ring, a 93C46 EEPROM. Registers through BAR 0 (ports) and BAR 1 (memory).
/// LIMIT: no wake-up, no C+ mode, no timer interrupt (TimerInt is storage).
/// </summary>
[Stateful("rtl8139")]
public sealed partial class Rtl8139 : PciDevice, INetFrontend
{
    private const int Descriptors = 4, MaxTransmit = 1792, MinFrame = 14, ShortestOnWire = 60, FcsSize = 4, HeaderSize = 4;

    // Register offsets (section 5).
    private const int IDR0 = 0x00, MAR0 = 0x08, TSD0 = 0x10, TSAD0 = 0x20, RBSTART = 0x30, CR = 0x37, CAPR = 0x38, CBR = 0x3a;
    private const int IMR = 0x3c, ISR = 0x3e, TCR = 0x40, RCR = 0x44, TCTR = 0x48, MPC = 0x4c, CR9346 = 0x50, CONFIG1 = 0x52, CONFIG5 = 0xd8;
    private const int TimerInt = 0x54, MSR = 0x58, TSAD = 0x60, BMCR = 0x62, BMSR = 0x64, ANAR = 0x66, ANLPAR = 0x68, ANER = 0x6a;
    private const int Registers = 0x100;

    // Command register.
    private const byte RST = 0x10, RE = 0x08, TE = 0x04, BUFE = 0x01;

    // Transmit status: byte count, OWN (the DMA is done), TOK, aborted.
    private const uint SizeMask = 0x1fff, OWN = 1 << 13, TOK = 1 << 15, TABT = 1 << 30;

    // Receive configuration: which addresses are accepted, wrap, buffer length.
    private const uint AAP = 1, APM = 2, AM = 4, AB = 8, WRAP = 1 << 7;

    [Flags]
    private enum Interrupt : ushort { ROK = 1, TOK = 4, TER = 8, LinkChange = 0x20 }

    private readonly AddressSpace _memory;
    private readonly INetBackend _backend;
    private readonly Clock _clock;
    private readonly LogChannel _log;

    // Registers; the other two belong to the transmitter and the receiver, because a back end calls in and is called. Taken last.
    private readonly Lock _lock = new(), _txLock = new(), _rxLock = new();

    [NotSaved("given by the machine")]
    private readonly byte[] _mac;

    [NotSaved("a frame on its way")]
    private readonly byte[] _frame = new byte[MaxTransmit + ShortestOnWire];

    [NotSaved("the back end asks again")]
    private bool _starved;

    [Saved(20)] private readonly byte[] _registers = new byte[Registers];
    [Saved(21)] private readonly Eeprom93C46 _eeprom;
    [Saved(22)] private bool _unplugged;

    // Where the chip writes next; CBR.
    [Saved(23)] private ushort _write;
    [Saved(24)] private byte _nextDescriptor;
    [Saved(25)] private ulong _timerBase;

    /// <param name="memory">Where buffers are.</param>
    /// <param name="clock">For the timer register.</param>
    /// <param name="mac">Six bytes, unicast.</param>
    /// <param name="rom">Firmware for booting from the network, or empty.</param>
    /// <exception cref="ArgumentException">Not a unicast MAC address.</exception>
    public Rtl8139(AddressSpace memory, Clock clock, INetBackend backend, ReadOnlySpan<byte> mac, ReadOnlyMemory<byte> rom = default, LogChannel? log = null)
        : base("rtl8139", new PciIdentity(0x10ec, 0x8139, 0x020000, 0x10, 0x10ec, 0x8139))
    {
        if (mac.Length != 6 || (mac[0] & 1) != 0)
            throw new ArgumentException("a network device needs a unicast MAC address of six bytes", nameof(mac));
        _memory = memory;
        _clock = clock;
        _backend = backend;
        _log = log ?? LogChannel.None;
        _mac = mac.ToArray();
        _eeprom = new Eeprom93C46([0x8129, 0x10ec, 0x8139, 0x10ec, 0x8139, 0x4020, 0xe512,
            (ushort)(mac[0] | mac[1] << 8), (ushort)(mac[2] | mac[3] << 8), (ushort)(mac[4] | mac[5] << 8)]);
        AddIoBar(0, Registers);
        AddBar(1, Registers, is64Bit: false, prefetchable: false);
        AddIntx();
        if (!rom.IsEmpty)
            AddRom(rom);
        ResetChip();
        backend.Attach(this);
    }

    private uint ReceiveConfiguration => BinaryPrimitives.ReadUInt32LittleEndian(_registers.AsSpan(RCR));
    private int RingSize => 8192 << (int)(ReceiveConfiguration >> 11 & 3);
    private bool Cable => !Volatile.Read(ref _unplugged);

    /// <summary>Plugs or pulls the cable.</summary>
    public void SetLink(bool up)
    {
        Volatile.Write(ref _unplugged, !up);
        Raise(Interrupt.LinkChange);
    }

    public override void Reset()
    {
        base.Reset();
        lock (_lock)
        {
            _eeprom.Reset();
            ResetChip();
            _timerBase = 0;
            UpdateInterrupt();
        }
    }

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        value = 0;
        lock (_lock)
        {
            Refresh();
            for (int i = 0; i < size && offset + (ulong)i < Registers; i++)
                value |= (ulong)_registers[(int)offset + i] << 8 * i;
        }
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (offset + (ulong)size > Registers)
            return true;
        int at = (int)offset;
        lock (_lock)
        {
            for (int i = 0; i < size; i++)
                Store(at + i, (byte)(value >> 8 * i));
            if (Touches(TCTR, 4))
                _timerBase = _clock.Now;
            UpdateInterrupt();
        }
        // Outside the lock: back ends are called.
        if (Touches(TSD0, Descriptors * 4))
            Transmit();
        if (Touches(CAPR, 2) || Touches(CR, 1) || Touches(RCR, 4))
            WakeReceiver();
        return true;

        bool Touches(int register, int width) => at < register + width && at + size > register;
    }

    /// <summary>Brings the registers that follow the chip's state up to date.</summary>
    private void Refresh()
    {
        _registers[CR] = (byte)(_registers[CR] & ~BUFE | (Unread() == 0 ? BUFE : 0));
        Put16(CBR, _write);
        _registers[CR9346] = (byte)(_registers[CR9346] & ~1 | (_eeprom.DataOut ? 1 : 0));
        BinaryPrimitives.WriteUInt32LittleEndian(_registers.AsSpan(TCTR), (uint)Clock.ToTicks(_clock.Now - _timerBase, 33_000_000));
        _registers[MSR] = (byte)(_registers[MSR] & ~0x04 | (Cable ? 0 : 0x04));
        Put16(BMSR, (ushort)(0x7809 | (Cable ? 0x24 : 0)));
        Put16(ANLPAR, (ushort)(Cable ? 0x45e1 : 0));
        Put16(ANER, (ushort)(Cable ? 1 : 0));
        ushort all = 0;
        for (int i = 0; i < Descriptors; i++)
        {
            uint status = Status(i);
            all |= (ushort)(((status & OWN) != 0 ? 1 << i : 0) | ((status & TABT) != 0 ? 0x10 << i : 0) | ((status & TOK) != 0 ? 0x1000 << i : 0));
        }
        Put16(TSAD, all);
    }

    private void Store(int at, byte value)
    {
        switch (at)
        {
            case CR:
                if ((value & RST) != 0)
                    ResetChip();
                else
                    _registers[CR] = (byte)(value & (RE | TE));
                break;
            case ISR or ISR + 1:
                _registers[at] &= (byte)~value;
                // DEVIATION: a frame that finds no room waits in the back end instead of being lost (RXOVW). Drivers may leave frames in the
                // ring and rely on the next one's interrupt, so ROK stays while one waits.
                if (at == ISR && Volatile.Read(ref _starved))
                    _registers[at] |= (byte)Interrupt.ROK;
                break;
            case CR9346:
                _registers[at] = (byte)(value & 0xce);
                _eeprom.SetPins(clock: (value & 4) != 0, select: (value & 0xc8) == 0x88, dataIn: (value & 2) != 0);
                break;
            case >= TCR + 2 and < TCR + 4:
                // The version of the chip is in the same word.
                _registers[at] = (byte)(at == TCR + 2 ? value & 0x07 | 0x40 : value & 0x03 | 0x74);
                break;
            case >= 0x51 and <= 0x53 or 0x59 or 0x5a:
                // CONFIG registers, when EEM unlocks them.
                if ((_registers[CR9346] & 0xc0) == 0xc0)
                    _registers[at] = value;
                break;
            case BMCR + 1:
                // Reset and restart of the negotiation end at once.
                _registers[at] = (byte)(value & ~0x82);
                break;
            case CBR or CBR + 1 or (>= TCTR and < TCTR + 4) or MSR or (>= TSAD and < TSAD + 2) or (>= BMSR and < BMSR + 2) or (>= ANLPAR and < ANER + 2):
                break;
            case >= MPC and < MPC + 4:
                _registers.AsSpan(MPC, 4).Clear();
                break;
            // Behind CONFIG5 later chips have registers, by which drivers tell them apart.
            case > CONFIG5:
                break;
            default:
                _registers[at] = value;
                break;
        }
    }

    private void ResetChip()
    {
        Array.Clear(_registers);
        _mac.CopyTo(_registers, IDR0);
        _registers[TCR + 2] = 0x40;
        _registers[TCR + 3] = 0x74;
        for (int i = 0; i < Descriptors; i++)
            SetStatus(i, OWN);
        _registers[CONFIG1] = 0x0c;
        Put16(CAPR, 0xfff0);
        Put16(BMCR, 0x1000);
        Put16(ANAR, 0x05e1);
        _write = 0;
        _nextDescriptor = 0;
    }

    private void Transmit()
    {
        Interrupt raised = 0;
        lock (_txLock)
        {
            // Descriptors go out in turn; one round at most.
            for (int i = 0; i < Descriptors; i++)
            {
                int n = _nextDescriptor & 3;
                uint status, address;
                lock (_lock)
                {
                    status = Status(n);
                    address = BinaryPrimitives.ReadUInt32LittleEndian(_registers.AsSpan(TSAD0 + 4 * n));
                    if ((status & OWN) != 0 || (_registers[CR] & TE) == 0 || !BusMaster)
                        break;
                    _nextDescriptor = (byte)(n + 1 & 3);
                }
                bool sent = Send((int)(status & SizeMask), address);
                lock (_lock)
                    SetStatus(n, status & SizeMask | OWN | (sent ? TOK : TABT));
                raised |= sent ? Interrupt.TOK : Interrupt.TER;
            }
        }
        if (raised != 0)
            Raise(raised);
    }

    private bool Send(int length, uint address)
    {
        if (length is < MinFrame or > MaxTransmit || !_memory.Read(address, _frame.AsSpan(0, length)))
        {
            _log.Guest($"a frame of {length} bytes at {address:x}");
            return false;
        }
        // Loopback mode, both bits (section 5.6).
        bool loopback;
        lock (_lock)
            loopback = (_registers[TCR + 2] & 6) == 6;
        Span<byte> frame = _frame.AsSpan(0, length);
        if (loopback)
            Accept(frame);
        else if (Cable)
            _backend.Send(frame);
        return true;
    }

    private uint Status(int descriptor) => BinaryPrimitives.ReadUInt32LittleEndian(_registers.AsSpan(TSD0 + 4 * descriptor));
    private void SetStatus(int descriptor, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(_registers.AsSpan(TSD0 + 4 * descriptor), value);
    private void Put16(int register, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_registers.AsSpan(register), value);

    private void Raise(Interrupt causes)
    {
        lock (_lock)
        {
            Put16(ISR, (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(_registers.AsSpan(ISR)) | (ushort)causes));
            UpdateInterrupt();
        }
    }

    private void UpdateInterrupt()
        => SetIntx((BinaryPrimitives.ReadUInt16LittleEndian(_registers.AsSpan(ISR)) & BinaryPrimitives.ReadUInt16LittleEndian(_registers.AsSpan(IMR))) != 0);

    protected override void Sync()
    {
        base.Sync();
        lock (_lock)
            UpdateInterrupt();
    }
}
