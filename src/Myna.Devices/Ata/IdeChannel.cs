using Myna.Devices.Ports;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.Interrupts;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Ata;

/// <summary>
/// One channel of a PCI IDE controller: command and control block registers of two drives (ATA8-APT, ATA8-ACS, section 6.1),
/// and bus-master DMA (Programming Interface for Bus Master IDE Controller, revision 1.0). LIMIT: no overlapped commands.
/// </summary>
[Stateful("ide-channel")]
public sealed partial class IdeChannel : IDrainable
{
    /// <summary>Registers of a drive, with what was written before for 48-bit commands (HOB).</summary>
    private struct Registers
    {
        public byte Feature, FeatureHob, Count, CountHob, Low, LowHob, Mid, MidHob, High, HighHob, Device, Status, Error;
    }

    private enum Phase : byte
    {
        Idle,

        /// <summary>The host writes a packet.</summary>
        Packet,

        /// <summary>The host reads or writes the data register.</summary>
        DataIn,
        DataOut,

        /// <summary>A DMA command waits for the bus master.</summary>
        DmaWait,

        /// <summary>At the back end.</summary>
        Busy,
    }

    private const int BufferSize = 64 << 10, PacketSize = 12, PrdSize = 8;

    /// <summary>What is read where nobody drives the bus: a resistor of the host pulls DD7 low, so that no drive does not look like a busy one (ATA/ATAPI-6, 4.3).</summary>
    private const byte Nothing = 0x7f;

    // Bus master command and status.
    private const byte SSBM = 1, RWCON = 8, BMIDEA = 1, IDEDMAE = 2, IDEINTS = 4, DriveCapable = 0x60;

    private readonly Lock _lock = new();
    private readonly WorkCount _work = new();
    private readonly AddressSpace _memory;
    private readonly InterruptLine _irq;
    private readonly Request _request;
    [NotSaved("the piece of the buffer under way")] private readonly List<Memory<byte>> _reads = [];
    [NotSaved("the piece of the buffer under way")] private readonly List<ReadOnlyMemory<byte>> _writes = [];

    [Saved(1)] private readonly Registers[] _drives = new Registers[2];
    [Saved(2)] private readonly AtaDevice? _first;
    [Saved(3)] private readonly AtaDevice? _second;
    [Saved(4)] private byte _control;
    [Saved(5)] private bool _interrupt;
    [Saved(6)] private Phase _phase;
    [Saved(7)] private byte _command;

    // The transfer under way: what is left of it on the medium.
    [Saved(8)] private TransferKind _kind;
    [Saved(9)] private ulong _offset;
    [Saved(10)] private uint _left;
    [Saved(11)] private bool _flushAfter;

    // The buffer: what is in it, where the host is, and where its present data block ends.
    [Saved(12)] private readonly byte[] _data = new byte[BufferSize];
    [Saved(13)] private int _filled;
    [Saved(14)] private int _position;
    [Saved(15)] private int _blockEnd;
    [Saved(16)] private int _blockSize;

    [Saved(17)] private byte _bmCommand;
    [Saved(18)] private byte _bmStatus;
    [Saved(19)] private uint _prdTable;

    [NotSaved("a reset waits for what is at the back end, which uses the buffer; drained before saving")] private bool _resetPending;
    [NotSaved("work begun before a reset is forgotten")] private int _epoch;
    [NotSaved("the controller's, which tells it")] private bool _busMaster;

    /// <param name="memory">Where DMA goes: RAM only.</param>
    /// <param name="irq">IRQ 14 or 15.</param>
    /// <param name="first">Drive 0, and <paramref name="second"/> drive 1; null for none.</param>
    public IdeChannel(AddressSpace memory, InterruptLine irq, AtaDevice? first, AtaDevice? second)
    {
        _memory = memory;
        _irq = irq;
        (_first, _second) = (first, second);
        _request = new Request(this);
        Owner = this;
        CommandBlock = new Block(this, control: false);
        ControlBlock = new Block(this, control: true);
        Reset();
    }

    /// <summary>Eight ports: 1F0h or 170h.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock CommandBlock { get; }

    /// <summary>One port: 3F6h or 376h.</summary>
    [field: NotSaved("wiring")]
    public IRegisterBlock ControlBlock { get; }

    /// <summary>The controller, with which it is saved.</summary>
    [field: NotSaved("wiring")]
    internal IStateful Owner { get; set; }

    private int Selected => _drives[0].Device >> 4 & 1;
    private AtaDevice? Drive => Selected == 0 ? _first : _second;

    /// <summary>The controller may read and write memory.</summary>
    internal bool BusMaster
    {
        set
        {
            lock (_lock)
            {
                _busMaster = value;
                TryDma();
            }
        }
    }

    /// <summary>Exchanges the disc of a CD drive. Any thread. Parameters and result as for <see cref="Ahci.ExchangeMedium"/>.</summary>
    public bool ExchangeMedium(int drive, IBlockBackend? medium, bool force)
    {
        lock (_lock)
            return (drive == 0 ? _first : drive == 1 ? _second : null) is AtapiCdrom cdrom && cdrom.Unit.Exchange(medium, force);
    }

    /// <inheritdoc/>
    public void Drain() => _work.Drain();

    /// <summary>Power-on state.</summary>
    public void Reset()
    {
        Drain();
        lock (_lock)
        {
            _first?.Reset();
            _second?.Reset();
            Array.Clear(_drives);
            Array.Clear(_data);
            _control = 0;
            (_bmCommand, _bmStatus, _prdTable) = (0, 0, 0);
            _command = 0;
            SoftReset();
            Lower();
        }
    }

    internal byte ReadBusMaster(int offset)
    {
        lock (_lock)
        {
            return offset switch
            {
                0 => _bmCommand,
                2 => _bmStatus,
                >= 4 and < 8 => (byte)(_prdTable >> (offset - 4) * 8),
                _ => 0,
            };
        }
    }

    internal void WriteBusMaster(int offset, byte value)
    {
        lock (_lock)
        {
            switch (offset)
            {
                case 0:
                    bool start = (value & ~_bmCommand & SSBM) != 0;
                    _bmCommand = (byte)(value & (SSBM | RWCON));
                    if (start)
                        _bmStatus |= BMIDEA;
                    else if ((value & SSBM) == 0)
                        _bmStatus &= unchecked((byte)~BMIDEA);
                    TryDma();
                    break;
                case 2:
                    _bmStatus = (byte)((_bmStatus & (BMIDEA | (IDEDMAE | IDEINTS) & ~value)) | (value & DriveCapable));
                    break;
                case >= 4 and < 8:
                    int shift = (offset - 4) * 8;
                    _prdTable = (_prdTable & ~(0xffu << shift) | (uint)value << shift) & ~3u;
                    break;
            }
        }
    }

    private byte ReadRegister(int offset)
    {
        // Without a drive the bus floats.
        if (_first is null && _second is null)
            return Nothing;
        ref Registers r = ref _drives[Selected];
        bool hob = (_control & AtaBits.HOB) != 0;
        switch (offset)
        {
            case 1: return hob ? r.FeatureHob : r.Error;
            case 2: return hob ? r.CountHob : r.Count;
            case 3: return hob ? r.LowHob : r.Low;
            case 4: return hob ? r.MidHob : r.Mid;
            case 5: return hob ? r.HighHob : r.High;
            case 6: return r.Device;
            case 7:
                Lower();
                return Status();
            default: return 0;
        }
    }

    /// <summary>Status: drive 0 answers for a missing drive 1 with zero; without drives the bus floats.</summary>
    private byte Status() => _first is null && _second is null ? Nothing : Drive is null ? (byte)0 : _drives[Selected].Status;

    private void WriteRegister(int offset, byte value)
    {
        _control &= unchecked((byte)~AtaBits.HOB);
        if (offset == 7)
        {
            Lower();
            if (value == AtaCommand.DEVICE_RESET && Drive is { IsPacket: true } && _work.Value != 0)
                PrepareReset(pending: true);
            else if (Drive is not null && _phase == Phase.Idle && (_drives[Selected].Status & (AtaBits.BSY | AtaBits.DRQ)) == 0 || value == AtaCommand.DEVICE_RESET && Drive is { IsPacket: true })
                Begin(value);
            return;
        }
        // While a command is under way they cannot be written; so the drive selected stays the one at work.
        if (_phase != Phase.Idle || (_drives[Selected].Status & (AtaBits.BSY | AtaBits.DRQ)) != 0)
            return;
        // Both drives take what is written.
        for (int i = 0; i < 2; i++)
        {
            ref Registers r = ref _drives[i];
            switch (offset)
            {
                case 1: (r.FeatureHob, r.Feature) = (r.Feature, value); break;
                case 2: (r.CountHob, r.Count) = (r.Count, value); break;
                case 3: (r.LowHob, r.Low) = (r.Low, value); break;
                case 4: (r.MidHob, r.Mid) = (r.Mid, value); break;
                case 5: (r.HighHob, r.High) = (r.High, value); break;
                case 6: r.Device = value; break;
            }
        }
        if (offset == 6)
            DriveInterrupt();
    }

    /// <summary>Device Control.</summary>
    private void WriteControl(byte value)
    {
        byte before = _control;
        _control = value;
        if ((value & ~before & AtaBits.SRST) != 0)
            PrepareReset(pending: false);
        else if ((before & ~value & AtaBits.SRST) != 0)
        {
            if (_work.Value != 0)
                PrepareReset(pending: true);
            else
                SoftReset();
        }
        DriveInterrupt();
    }

    /// <summary>Both drives are busy until they are reset.</summary>
    private void PrepareReset(bool pending)
    {
        _epoch++;
        _phase = Phase.Idle;
        _resetPending = pending;
        for (int i = 0; i < 2; i++)
            _drives[i].Status = AtaBits.BSY;
    }

    /// <summary>Both drives show their signatures.</summary>
    private void SoftReset()
    {
        _epoch++;
        _phase = Phase.Idle;
        _kind = TransferKind.None;
        _interrupt = false;
        (_offset, _left, _flushAfter) = (0, 0, false);
        (_filled, _position, _blockEnd, _blockSize) = (0, 0, 0, 0);
        for (int i = 0; i < 2; i++)
        {
            if ((i == 0 ? _first : _second) is not { } drive)
            {
                _drives[i].Status = 0;
                continue;
            }
            drive.BusReset();
            var file = new TaskFile();
            drive.Signature(ref file);
            Answer(i, file);
        }
    }

    private void Begin(byte command)
    {
        AtaDevice drive = Drive!;
        ref Registers r = ref _drives[Selected];
        _command = command;
        _epoch++;
        _kind = TransferKind.None;
        TaskFile file = Command();
        if (command == AtaCommand.PACKET && drive.IsPacket)
        {
            (_phase, _position, _blockEnd) = (Phase.Packet, 0, PacketSize);
            r.Count = AtaBits.CoD;
            r.Status = AtaBits.DRDY | AtaBits.DRQ;
            r.Error = 0;
            return;
        }
        if (command == AtaCommand.DIAGNOSTIC)
        {
            SoftReset();
            for (int i = 0; i < 2; i++)
                _drives[i].Device = 0;
            Raise();
            return;
        }
        Transfer transfer = drive.Begin(ref file, queued: false);
        if (command == AtaCommand.DEVICE_RESET)
        {
            _phase = Phase.Idle;
            Answer(Selected, file);
            return;
        }
        Proceed(file, transfer, AtaCommand.IsDma(command), drive.BlockSectors(command) * AtaDevice.SectorSize);
    }

    /// <summary>What the registers hold, as a command.</summary>
    private TaskFile Command()
    {
        ref Registers r = ref _drives[Selected];
        return new TaskFile
        {
            Command = _command, Device = r.Device, Feature = (ushort)(r.Feature | r.FeatureHob << 8), Count = (ushort)(r.Count | r.CountHob << 8),
            Lba = r.Low | (ulong)r.Mid << 8 | (ulong)r.High << 16 | (ulong)r.LowHob << 24 | (ulong)r.MidHob << 32 | (ulong)r.HighHob << 40,
        };
    }

    /// <summary>Puts a command's end into a drive's registers.</summary>
    private void Answer(int drive, in TaskFile file)
    {
        ref Registers r = ref _drives[drive];
        (r.Status, r.Error) = (file.Status, file.Error);
        (r.Count, r.CountHob) = ((byte)file.Count, (byte)(file.Count >> 8));
        (r.Low, r.Mid, r.High) = ((byte)file.Lba, (byte)(file.Lba >> 8), (byte)(file.Lba >> 16));
        (r.LowHob, r.MidHob, r.HighHob) = ((byte)(file.Lba >> 24), (byte)(file.Lba >> 32), (byte)(file.Lba >> 40));
    }

    private void Raise()
    {
        _interrupt = true;
        _bmStatus |= IDEINTS;
        DriveInterrupt();
    }

    private void Lower()
    {
        _interrupt = false;
        DriveInterrupt();
    }

    private void DriveInterrupt() => _irq.Set(_interrupt && (_control & AtaBits.nIEN) == 0);

    private void Sync()
    {
        lock (_lock)
        {
            // A damaged stream must not lead out of the buffer, or to a drive that is not there.
            if (!IsSound())
                _phase = Phase.Idle;
            DriveInterrupt();
            TryDma();
        }
    }

    private bool IsSound()
    {
        bool window = (uint)_filled <= BufferSize && (uint)_blockEnd <= BufferSize && (uint)_position < (uint)_blockEnd;
        bool small = _kind is not (TransferKind.In or TransferKind.Out) || _left <= AtaDevice.BufferSize;
        return _phase switch
        {
            Phase.Idle => true,
            Phase.Packet => Drive is { IsPacket: true } && window,
            Phase.DmaWait => Drive is not null && small,
            Phase.DataIn or Phase.DataOut => Drive is not null && window && small && _blockSize is > 0 and <= BufferSize,
            _ => false,
        };
    }

    private sealed class Block(IdeChannel channel, bool control) : IRegisterBlock
    {
        public IStateful Owner => channel.Owner;
        public ulong Size => control ? 1ul : 8;

        public bool Read(ulong offset, int size, out ulong value)
        {
            value = 0;
            lock (channel._lock)
            {
                if (control)
                    value = channel.Status();
                else if (offset == 0 && size >= 2)
                {
                    for (int i = 0; i < size; i += 2)
                        value |= (ulong)channel.ReadData(2) << i * 8;
                }
                else
                {
                    for (int i = 0; i < size; i++)
                        value |= (ulong)(offset == 0 && i == 0 ? channel.ReadData(1) : channel.ReadRegister((int)offset + i)) << i * 8;
                }
            }
            return true;
        }

        public bool Write(ulong offset, int size, ulong value)
        {
            lock (channel._lock)
            {
                if (control)
                    channel.WriteControl((byte)value);
                else if (offset == 0 && size >= 2)
                {
                    for (int i = 0; i < size; i += 2)
                        channel.WriteData((ushort)(value >> i * 8), 2);
                }
                else
                {
                    for (int i = 0; i < size; i++)
                    {
                        if (offset == 0 && i == 0)
                            channel.WriteData((byte)value, 1);
                        else
                            channel.WriteRegister((int)offset + i, (byte)(value >> i * 8));
                    }
                }
            }
            return true;
        }
    }
}
