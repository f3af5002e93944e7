using System.Buffers.Binary;
using Myna.Devices.Pci;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Nvme;

/// <summary>
/// An NVMe controller (NVM Express 1.4): an admin queue pair, I/O queues, and disks as namespaces 1 and up. The virtual CPU that rings a
/// doorbell starts commands; whichever thread the back end completes on ends them. LIMIT: PRPs only; no SGLs, metadata,
/// namespace management or controller memory buffer.
/// </summary>
[Stateful("nvme")]
public sealed partial class NvmeController : PciDevice, IDrainable
{
    /// <summary>Bytes of a logical block.</summary>
    public const int BlockSize = 512;

    internal const int PageSize = 4096;

    // Pairs with the admin queue's; entries at most; pages of a transfer at most (MDTS, 2^8: 1 MiB).
    private const int QueueCount = 33, MaxEntries = 1024, MaxTransferShift = 8;
    private const int RegisterBar = 0, MsixBar = 4, MostUnderWay = 4096;

    // Entries less one, contiguous queues, 7.5 s to become ready, the NVM command set.
    private const ulong Capabilities = (MaxEntries - 1) | 1 << 16 | 15ul << 24 | 1ul << 37;
    private const uint Version = 0x0001_0400;
    private const byte SqEntry = 6, CqEntry = 4;

    private readonly AddressSpace _memory;
    [NotSaved("decided by the construction")] private readonly IBlockBackend[] _disks;
    private readonly string _serial;
    private readonly LogChannel _log;
    private readonly Lock _lock = new();
    private readonly WorkCount _work = new();

    [NotSaved("requests to use again")] private readonly Stack<NvmeRequest> _pool = new();
    [NotSaved("work begun before a reset is forgotten")] private int _epoch;
    [NotSaved("how often each submission queue was deleted; commands of a deleted one do not end")] private readonly int[] _lives = new int[QueueCount];
    [NotSaved("this thread is in Run")] private bool _running;

    [Saved(20)] private uint _cc;
    [Saved(21)] private uint _csts;
    [Saved(22)] private uint _aqa;
    [Saved(23)] private ulong _asq;
    [Saved(24)] private ulong _acq;
    [Saved(25)] private uint _mask;
    [Saved(26)] private readonly NvmeQueues _queues = new(QueueCount);

    // Completion queues whose interrupt is due on the wire, a bit each.
    [Saved(27)] private ulong _due;

    // Values of features, by their number.
    [Saved(28)] private readonly uint[] _features = new uint[16];

    // Asynchronous event requests that wait for an event; there are none.
    [Saved(29)] private int _eventRequests;

    /// <param name="memory">Where DMA goes: RAM only.</param>
    /// <param name="disks">The namespaces, number 1 first; at most 1024.</param>
    /// <param name="serial">At most 20 ASCII characters; longer ones are cut.</param>
    public NvmeController(AddressSpace memory, IEnumerable<IBlockBackend> disks, string serial = "", LogChannel? log = null)
        : base("nvme", new PciIdentity(0x1b36, 0x0010, 0x010802, RevisionId: 2, SubsystemVendorId: 0x1af4, SubsystemId: 0x1100))
    {
        _memory = memory;
        _disks = [.. disks];
        _serial = serial.Length == 0 ? "MYNANVME" : serial;
        _log = log ?? LogChannel.None;
        AddBar(RegisterBar, 0x4000, is64Bit: true, prefetchable: false);
        AddIntx();
        AddPciExpress();
        ClearFeatures();
    }

    /// <inheritdoc/>
    public override bool ReadBar(int bar, ulong offset, int size, out ulong value)
    {
        if (bar != RegisterBar)
            return base.ReadBar(bar, offset, size, out value);
        lock (_lock)
        {
            if (size == 8)
                value = Read((int)offset) | (ulong)Read((int)offset + 4) << 32;
            else
                value = (ulong)Read((int)offset & ~3) >> (int)(offset & 3) * 8 & (1ul << size * 8) - 1;
        }
        return true;
    }

    /// <inheritdoc/>
    public override bool WriteBar(int bar, ulong offset, int size, ulong value)
    {
        if (bar != RegisterBar)
            return base.WriteBar(bar, offset, size, value);
        // Section 3.1: narrower accesses are undefined.
        if (size < 4)
            return true;
        lock (_lock)
        {
            Write((int)offset, (uint)value);
            if (size == 8)
                Write((int)offset + 4, (uint)(value >> 32));
        }
        return true;
    }

    /// <inheritdoc/>
    public override void Reset()
    {
        Drain();
        lock (_lock)
        {
            Disable();
            (_aqa, _asq, _acq, _mask) = (0, 0, 0, 0);
            _cc = _csts = 0;
        }
        base.Reset();
    }

    /// <inheritdoc/>
    public void Drain() => _work.Drain();

    /// <summary>A command has come back from its back end. Any thread.</summary>
    internal void Completed(NvmeRequest request, BlockStatus status)
    {
        lock (_lock)
        {
            request.Buffer.Clear();
            if (request.Epoch == _epoch)
            {
                _queues.Promised[request.CompletionQueue]--;
                if (request.Life == _lives[request.Queue])
                    Post(request.Queue, request.Id, StatusOf(status, request.Reads));
            }
            _pool.Push(request);
            Run();
        }
        _work.End();
    }

    /// <inheritdoc/>
    protected override void AttachedTo(PciHost host)
    {
        if (host.HasMsi)
            AddMsix(MsixBar, QueueCount);
    }

    /// <inheritdoc/>
    protected override void CommandChanged()
    {
        lock (_lock)
            Run();
    }

    /// <inheritdoc/>
    protected override void Sync()
    {
        base.Sync();
        lock (_lock)
        {
            DriveWire();
            Run();
        }
    }

    private bool Ready => (_csts & (NvmeRegister.RDY | NvmeRegister.CFS)) == NvmeRegister.RDY;

    private uint Read(int offset) => offset switch
    {
        NvmeRegister.CAP => unchecked((uint)Capabilities),
        NvmeRegister.CAP + 4 => (uint)(Capabilities >> 32),
        NvmeRegister.VS => Version,
        NvmeRegister.INTMS or NvmeRegister.INTMC => _mask,
        NvmeRegister.CC => _cc,
        NvmeRegister.CSTS => _csts,
        NvmeRegister.AQA => _aqa,
        NvmeRegister.ASQ => (uint)_asq,
        NvmeRegister.ASQ + 4 => (uint)(_asq >> 32),
        NvmeRegister.ACQ => (uint)_acq,
        NvmeRegister.ACQ + 4 => (uint)(_acq >> 32),
        _ => 0,
    };

    private void Write(int offset, uint value)
    {
        switch (offset)
        {
            case NvmeRegister.INTMS:
                _mask |= value;
                DriveWire();
                break;
            case NvmeRegister.INTMC:
                _mask &= ~value;
                DriveWire();
                break;
            case NvmeRegister.CC:
                Configure(value);
                break;
            case NvmeRegister.AQA:
                _aqa = value & 0x0fff_0fff;
                break;
            case NvmeRegister.ASQ:
                _asq = _asq & ~0xffff_fffful | value & ~(PageSize - 1u);
                break;
            case NvmeRegister.ASQ + 4:
                _asq = (uint)_asq | (ulong)value << 32;
                break;
            case NvmeRegister.ACQ:
                _acq = _acq & ~0xffff_fffful | value & ~(PageSize - 1u);
                break;
            case NvmeRegister.ACQ + 4:
                _acq = (uint)_acq | (ulong)value << 32;
                break;
            case >= NvmeRegister.Doorbells when Ready:
                Doorbell((offset - NvmeRegister.Doorbells) / 4, value);
                break;
        }
    }

    /// <summary>Controller configuration (section 3.1.5): enabled and disabled at once.</summary>
    private void Configure(uint value)
    {
        uint before = _cc;
        _cc = value & 0x00ff_fff1;
        if ((_cc & ~before & NvmeRegister.EN) != 0)
            Enable();
        else if ((before & ~_cc & NvmeRegister.EN) != 0)
        {
            Disable();
            _csts = 0;
        }
        // Section 7.6.2: what was completed is with the back end, which the host flushes itself.
        _csts = _csts & ~NvmeRegister.SHST | ((_cc & NvmeRegister.SHN) != 0 ? NvmeRegister.ShutdownComplete : 0);
    }

    private void Enable()
    {
        int sq = (int)(_aqa & 0xfff) + 1, cq = (int)(_aqa >> 16 & 0xfff) + 1;
        // Pages of 4 KiB, the NVM command set, entries of the sizes that there are, which may be set later.
        if (sq < 2 || cq < 2 || (_cc >> 4 & 7) != 0 || (_cc >> 7 & 15) != 0)
        {
            _log.Guest($"enabled with CC 0x{_cc:x}, AQA 0x{_aqa:x}");
            _csts = NvmeRegister.CFS;
            return;
        }
        _queues.Clear();
        _queues.Submission[0] = new() { Base = _asq, Size = (ushort)sq, Exists = 1 };
        _queues.Completion[0] = new() { Base = _acq, Size = (ushort)cq, Exists = 1, Phase = 1, Interrupts = 1 };
        _csts = NvmeRegister.RDY;
    }

    /// <summary>A controller reset (section 7.3.2), which leaves the admin queue's registers.</summary>
    private void Disable()
    {
        _epoch++;
        _queues.Clear();
        _due = 0;
        _eventRequests = 0;
        ClearFeatures();
        DriveWire();
    }

    private void ClearFeatures()
    {
        Array.Clear(_features);
        _features[4] = 0x15d; // temperature threshold, kelvin
        _features[6] = 1; // write cache
        for (int i = 0; i < 2; i++)
            _features[7] |= (QueueCount - 2u) << i * 16;
    }

    private void Doorbell(int number, uint value)
    {
        int queue = number >> 1;
        if (queue >= QueueCount)
            return;
        ref SubmissionQueue sq = ref _queues.Submission[queue];
        ref CompletionQueue cq = ref _queues.Completion[queue];
        if ((number & 1) == 0 && sq.Exists != 0 && value < sq.Size)
            sq.Tail = (ushort)value;
        else if ((number & 1) != 0 && cq.Exists != 0 && value < cq.Size)
        {
            cq.Head = (ushort)value;
            if (cq.Head == cq.Tail)
            {
                _due &= ~(1ul << queue);
                DriveWire();
            }
        }
        else
        {
            _log.Guest($"doorbell {number} is rung with 0x{value:x}");
            return;
        }
        Run();
    }

    /// <summary>Begins what has been submitted, as far as there is room for its end.</summary>
    private void Run()
    {
        if (_running || !Ready)
            return;
        _running = true;
        bool more = true;
        while (more && BusMaster && Ready)
        {
            more = false;
            for (int i = 0; i < QueueCount; i++)
                more |= RunOne(i);
        }
        _running = false;
    }

    private bool RunOne(int queue)
    {
        ref SubmissionQueue sq = ref _queues.Submission[queue];
        if (sq.Exists == 0 || sq.Head == sq.Tail || !_queues.HasRoom(sq.Completion) || _work.Value >= MostUnderWay)
            return false;
        Span<byte> bytes = stackalloc byte[NvmeEntry.Size];
        if (!_memory.Read(sq.Base + (ulong)sq.Head * NvmeEntry.Size, bytes))
        {
            _log.Guest($"no RAM at submission queue {queue}, 0x{sq.Base:x}");
            _csts |= NvmeRegister.CFS;
            return false;
        }
        sq.Head = (ushort)(sq.Head + 1 == sq.Size ? 0 : sq.Head + 1);
        var entry = new NvmeEntry
        {
            Cdw0 = BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            Nsid = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
            Prp1 = BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]),
            Prp2 = BinaryPrimitives.ReadUInt64LittleEndian(bytes[32..]),
            Cdw10 = BinaryPrimitives.ReadUInt32LittleEndian(bytes[40..]),
            Cdw11 = BinaryPrimitives.ReadUInt32LittleEndian(bytes[44..]),
            Cdw12 = BinaryPrimitives.ReadUInt32LittleEndian(bytes[48..]),
            Cdw13 = BinaryPrimitives.ReadUInt32LittleEndian(bytes[52..]),
        };
        // Fused operations and SGLs.
        if ((entry.Cdw0 >> 8 & 3) != 0 || (entry.Cdw0 >> 14 & 3) != 0)
            Post(queue, entry.Id, NvmeStatus.InvalidField);
        else if (queue == 0)
            Admin(entry);
        else
            Io(queue, entry);
        return true;
    }

    /// <summary>Writes a completion (section 4.6) and interrupts.</summary>
    private void Post(int queue, ushort id, ushort status, uint result = 0)
    {
        ref SubmissionQueue sq = ref _queues.Submission[queue];
        if (sq.Exists == 0)
            return;
        ref CompletionQueue cq = ref _queues.Completion[sq.Completion];
        Span<byte> bytes = stackalloc byte[NvmeEntry.CompletionSize];
        bytes.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, result);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[8..], sq.Head);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[10..], (ushort)queue);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[12..], id);
        ulong at = cq.Base + (ulong)cq.Tail * NvmeEntry.CompletionSize;
        // The phase tag tells the host that the rest is there.
        bool written = _memory.Write(at, bytes[..14]);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[14..], (ushort)(status << 1 | cq.Phase));
        if (!written || !_memory.FindRam(at + 14, 2, out Ram? ram, out ulong offset, out int run) || run < 2)
        {
            _log.Guest($"no RAM at completion queue {sq.Completion}, 0x{cq.Base:x}");
            _csts |= NvmeRegister.CFS;
            return;
        }
        ram.StoreRelease(offset, (ushort)(status << 1 | cq.Phase));
        if (++cq.Tail == cq.Size)
        {
            cq.Tail = 0;
            cq.Phase ^= 1;
        }
        if (cq.Interrupts == 0)
            return;
        if (Msix is { Enabled: true } msix)
            msix.Signal(cq.Vector);
        else
        {
            _due |= 1ul << sq.Completion;
            DriveWire();
        }
    }

    /// <summary>The wire: while a completion queue that interrupts holds something, and its vector is not masked.</summary>
    private void DriveWire()
    {
        bool level = false;
        for (ulong due = _due; due != 0; due &= due - 1)
        {
            int vector = _queues.Completion[System.Numerics.BitOperations.TrailingZeroCount(due) % QueueCount].Vector;
            level |= vector >= 32 || (_mask >> vector & 1) == 0;
        }
        SetIntx(level && Msix is not { Enabled: true });
    }

    private static ushort StatusOf(BlockStatus status, bool reading) => status switch
    {
        BlockStatus.Ok => NvmeStatus.Success,
        BlockStatus.OutOfRange => NvmeStatus.LbaOutOfRange,
        BlockStatus.ReadOnly => NvmeStatus.ReadOnly,
        BlockStatus.NoSpace => NvmeStatus.CapacityExceeded,
        BlockStatus.NotSupported => NvmeStatus.InvalidField,
        _ => reading ? NvmeStatus.ReadError : NvmeStatus.WriteFault,
    };
}
