using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Network;

/// <summary>
/// What Intel's gigabit Ethernet controllers of the 8254x and 82574 kinds have in common (Intel PCI/PCI-X Family of Gigabit
/// Ethernet Controllers Software Developer's Manual, "SDM" in this folder; 82574 datasheet): registers, one ring of
/// descriptors each way, checksum and TCP segmentation offload, VLAN tags, receive filters, PHY, EEPROM.
/// </summary>
/// <remarks>
/// DEVIATION: interrupts are not delayed (ITR, RDTR, TIDV and their kind are storage); received checksums are left to the
/// driver (IXSM is set). LIMIT: no flow control frames, no wake-up, no management.
/// </remarks>
[Stateful("gigabit-ethernet")]
public abstract partial class GigabitController : PciDevice, INetFrontend
{
    /// <summary>Bytes of BAR 0.</summary>
    protected const ulong RegisterSpace = 128 << 10;

    private readonly AddressSpace _memory;
    private readonly INetBackend _backend;
    private readonly LogChannel _log;

    [NotSaved("given by the machine")]
    private readonly byte[] _mac;

    // Registers and interrupts; each ring has a lock of its own, because a back end calls in and is called. Taken after the rings'.
    private readonly Lock _lock = new();

    [Saved(20)] private readonly uint[] _registers = new uint[GigabitRegister.FileSize / 4];
    [Saved(21)] private readonly GigabitPhy _phy;
    [Saved(22)] private readonly Eeprom93C46 _eeprom;
    [Saved(23)] private bool _unplugged;
    [Saved(24)] private uint _ioAddress;

    /// <param name="memory">Where descriptors and frames are.</param>
    /// <param name="mac">Six bytes, unicast.</param>
    /// <param name="phyId">The PHY's identifier.</param>
    /// <exception cref="ArgumentException">Not a unicast MAC address.</exception>
    protected GigabitController(string name, PciIdentity identity, AddressSpace memory, INetBackend backend, ReadOnlySpan<byte> mac, uint phyId, LogChannel? log)
        : base(name, identity)
    {
        if (mac.Length != 6 || (mac[0] & 1) != 0)
            throw new ArgumentException("a network device needs a unicast MAC address of six bytes", nameof(mac));
        _memory = memory;
        _backend = backend;
        _log = log ?? LogChannel.None;
        _mac = mac.ToArray();
        _phy = new GigabitPhy(phyId);
        _eeprom = new Eeprom93C46(EepromWords(mac, identity));
        AddBar(0, RegisterSpace, is64Bit: false, prefetchable: false);
        AddIntx();
        ResetRegisters();
        backend.Attach(this);
    }

    /// <summary>The EEPROM is wired to EECD's pins, and EERD is laid out as on 8254x.</summary>
    private protected abstract bool HasMicrowire { get; }

    private protected ref uint this[int register] => ref _registers[register / 4];

    private DeviceControl Control => (DeviceControl)this[GigabitRegister.CTRL];
    private bool LinkUp => !Volatile.Read(ref _unplugged) && (Control & DeviceControl.SLU) != 0;

    /// <summary>Plugs or pulls the cable.</summary>
    public void SetLink(bool up)
    {
        Volatile.Write(ref _unplugged, !up);
        Raise(InterruptCause.LSC);
    }

    public override void Reset()
    {
        base.Reset();
        lock (_lock)
        {
            _phy.PowerOn();
            ResetRegisters();
            UpdateInterrupts();
        }
        lock (_txLock)
        {
            _packet = default;
            Array.Clear(_frame);
        }
        _ioAddress = 0;
    }

    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar == IoBar)
        {
            value = ReadIo(offset);
            return true;
        }
        if (bar != 0)
            return base.ReadBar(bar, offset, size, out value);
        // Registers are 32 bits wide; a narrower read sees its part.
        value = offset + (ulong)size <= GigabitRegister.FileSize ? ReadRegister((int)offset & ~3) >> (int)(offset & 3) * 8 : 0;
        if (size == 8 && offset + 8 <= GigabitRegister.FileSize)
            value |= (ulong)ReadRegister((int)offset + 4) << 32;
        else if (size < 4)
            value &= (1u << 8 * size) - 1;
        return true;
    }

    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar == IoBar)
        {
            WriteIo(offset, (uint)value);
            return true;
        }
        if (bar != 0)
            return base.WriteBar(bar, offset, size, value);
        // Narrower writes are not supported by the hardware and ignored here (SDM, section 13.1).
        if (size < 4 || (offset & 3) != 0 || offset + (ulong)size > GigabitRegister.FileSize)
            return true;
        WriteRegister((int)offset, (uint)value);
        if (size == 8)
            WriteRegister((int)offset + 4, (uint)(value >> 32));
        return true;
    }

    /// <summary>The BAR of I/O ports: IOADDR, then IODATA (SDM, section 13.1.2).</summary>
    private protected abstract int IoBar { get; }

    /// <summary>A read of a register that this model has differently.</summary>
    private protected virtual bool ReadOwn(int register, out uint value)
    {
        value = 0;
        return false;
    }

    /// <summary>A write of a register that this model has differently; under the lock.</summary>
    private protected virtual bool WriteOwn(int register, uint value) => false;

    /// <summary>Status bits of this model.</summary>
    private protected virtual DeviceStatus ModelStatus => 0;

    /// <summary>Registers of this model after a reset.</summary>
    private protected virtual void ResetOwn() { }

    private ulong ReadIo(ulong offset)
        => offset < 4 ? Volatile.Read(ref _ioAddress) : _ioAddress < GigabitRegister.FileSize ? ReadRegister((int)_ioAddress & ~3) : 0;

    private void WriteIo(ulong offset, uint value)
    {
        if (offset < 4)
            Volatile.Write(ref _ioAddress, value);
        else if (Volatile.Read(ref _ioAddress) is < GigabitRegister.FileSize and var address)
            WriteRegister((int)address & ~3, value);
    }

    private uint ReadRegister(int register)
    {
        lock (_lock)
        {
            if (ReadOwn(register, out uint own))
                return own;
            switch (register)
            {
                case GigabitRegister.STATUS:
                    return (uint)(DeviceStatus.FD | DeviceStatus.Speed1000 | DeviceStatus.ASDV1000 | ModelStatus | (LinkUp ? DeviceStatus.LU : 0));
                case GigabitRegister.EECD:
                    return this[GigabitRegister.EECD] | (uint)((_eeprom.DataOut ? EepromControl.DO : 0) | EepromControl.PRES | (HasMicrowire ? 0 : EepromControl.AUTO_RD));
                case GigabitRegister.ICR:
                    return ReadCauses();
                case GigabitRegister.ICS or GigabitRegister.IMC:
                    return 0;
                case >= GigabitRegister.FirstStatistic and <= GigabitRegister.LastStatistic:
                    uint count = this[register];
                    this[register] = 0;
                    return count;
                default:
                    return this[register];
            }
        }
    }

    private void WriteRegister(int register, uint value)
    {
        lock (_lock)
        {
            if (!WriteOwn(register, value))
                Store(register, value);
        }
        // Outside the lock: back ends are called.
        switch (register)
        {
            case GigabitRegister.TDT or GigabitRegister.TCTL:
                Transmit();
                break;
            case GigabitRegister.RDT or GigabitRegister.RCTL:
                WakeReceiver();
                break;
        }
    }

    private void Store(int register, uint value)
    {
        switch (register)
        {
            case GigabitRegister.CTRL:
                WriteControl((DeviceControl)value);
                break;
            case GigabitRegister.STATUS or (>= GigabitRegister.FirstStatistic and <= GigabitRegister.LastStatistic):
                break;
            case GigabitRegister.EECD:
                SetEepromPins((EepromControl)value);
                break;
            case GigabitRegister.EERD:
                StartEepromRead(value);
                break;
            case GigabitRegister.MDIC:
                AccessPhy(value);
                break;
            case GigabitRegister.ICR:
                this[GigabitRegister.ICR] &= ~value;
                UpdateInterrupts();
                break;
            case GigabitRegister.ICS:
                SetCauses((InterruptCause)value & ~InterruptCause.INT_ASSERTED);
                break;
            case GigabitRegister.IMS:
                this[GigabitRegister.IMS] |= value & ~(uint)InterruptCause.INT_ASSERTED;
                UpdateInterrupts();
                break;
            case GigabitRegister.IMC:
                this[GigabitRegister.IMS] &= ~value;
                UpdateInterrupts();
                break;
            case GigabitRegister.RDBAL or GigabitRegister.TDBAL:
                this[register] = value & ~0xfu;
                break;
            case GigabitRegister.RDLEN or GigabitRegister.TDLEN:
                this[register] = value & 0x000f_ff80;
                break;
            case GigabitRegister.RDH or GigabitRegister.RDT or GigabitRegister.TDH or GigabitRegister.TDT:
                this[register] = value & 0xffff;
                break;
            default:
                this[register] = value;
                break;
        }
    }

    private void WriteControl(DeviceControl value)
    {
        bool up = LinkUp;
        if ((value & DeviceControl.RST) != 0)
        {
            ResetRegisters();
            UpdateInterrupts();
            return;
        }
        if ((value & DeviceControl.PHY_RST) != 0)
            _phy.PowerOn();
        this[GigabitRegister.CTRL] = (uint)(value & ~DeviceControl.PHY_RST);
        if (up != LinkUp)
            SetCauses(InterruptCause.LSC);
    }

    /// <summary>EEPROM/Flash Control (SDM, section 13.4.3): the pins, and access, which is granted at once.</summary>
    private void SetEepromPins(EepromControl value)
    {
        value &= EepromControl.SK | EepromControl.CS | EepromControl.DI | EepromControl.FWE | EepromControl.REQ;
        this[GigabitRegister.EECD] = (uint)(value | ((value & EepromControl.REQ) != 0 ? EepromControl.GNT : 0));
        _eeprom.SetPins((value & EepromControl.SK) != 0, (value & EepromControl.CS) != 0, (value & EepromControl.DI) != 0);
    }

    // Words of the EEPROM map (SDM, table 5-2).
    private static ushort[] EepromWords(ReadOnlySpan<byte> mac, PciIdentity identity)
    {
        var words = new ushort[Eeprom93C46.Words];
        for (int i = 0; i < 3; i++)
            words[i] = (ushort)(mac[2 * i] | mac[2 * i + 1] << 8);
        words[0x0a] = 0x640b;
        words[0x0b] = identity.SubsystemId;
        words[0x0c] = identity.SubsystemVendorId;
        words[0x0d] = identity.DeviceId;
        words[0x0e] = identity.VendorId;
        words[0x0f] = 0x3040;
        words[0x21] = 0x7863;
        // All words together make BABAh (section 5.6.35).
        words[0x3f] = (ushort)(0xbaba - words.Sum(w => w));
        return words;
    }

    /// <summary>EEPROM Read (SDM, section 13.4.4): the word is there at once.</summary>
    private void StartEepromRead(uint value)
    {
        const uint start = 1;
        if (HasMicrowire)
            this[GigabitRegister.EERD] = (value & start) != 0 ? value & 0xff00 | 1 << 4 | (uint)_eeprom[(int)(value >> 8 & 0xff)] << 16 : value;
        else
            this[GigabitRegister.EERD] = (value & start) != 0 ? value & 0xfffc | 1 << 1 | (uint)_eeprom[(int)(value >> 2 & 0x3fff)] << 16 : value;
    }

    /// <summary>MDI Control (SDM, section 13.4.7): the PHY, at address 1, answers at once.</summary>
    private void AccessPhy(uint value)
    {
        const uint write = 1 << 26, read = 2 << 26, ready = 1 << 28, interrupt = 1 << 29, error = 1 << 30;
        int register = (int)(value >> 16 & 31);
        uint op = value & (write | read);
        bool negotiated = false;
        value &= ~(ready | error);
        if ((value >> 21 & 31) != 1 || op is not (write or read))
            value |= error;
        else if (op == read)
            value = value & ~0xffffu | _phy.Read(register, !Volatile.Read(ref _unplugged));
        else
            negotiated = _phy.Write(register, (ushort)value);
        this[GigabitRegister.MDIC] = value | ready;
        InterruptCause causes = ((value & interrupt) != 0 ? InterruptCause.MDAC : 0) | (negotiated ? InterruptCause.LSC : 0);
        if (causes != 0)
            SetCauses(causes);
    }

    private void ResetRegisters()
    {
        // Statistics and filters too; the MAC address comes back from the EEPROM (SDM, section 14.3).
        Array.Clear(_registers);
        _eeprom.Reset();
        this[GigabitRegister.CTRL] = 0x0000_0201;
        this[GigabitRegister.PBA] = 0x0010_0030;
        this[GigabitRegister.RA] = BinaryPrimitives.ReadUInt32LittleEndian(_mac);
        this[GigabitRegister.RA + 4] = BinaryPrimitives.ReadUInt16LittleEndian(_mac.AsSpan(4)) | 1u << 31;
        _offload = default;
        _segmentation = default;
        ResetOwn();
    }

    private void Count(int statistic, uint by = 1)
    {
        ref uint count = ref this[statistic];
        count = count + by < count ? uint.MaxValue : count + by;
    }

    // Octet counters are 64 bits wide, in two registers.
    private void CountOctets(int statistic, int octets)
    {
        uint low = this[statistic];
        this[statistic] = low + (uint)octets;
        if (this[statistic] < low)
            Count(statistic + 4);
    }

    protected override void Sync()
    {
        base.Sync();
        if (_packet.Length is < 0 or > MaxFrame)
            _packet = new PacketState { Started = true, Bad = true };
        lock (_lock)
            UpdateInterrupts();
    }
}
