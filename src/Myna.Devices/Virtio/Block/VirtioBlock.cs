using System.Buffers.Binary;
using System.Text;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Block;

/// <summary>
/// The block device (virtio 1.2, section 5.2). The notifying virtual CPU starts requests; whichever thread the back end
/// completes on finishes them, so no CPU waits for a disk.
/// </summary>
[Stateful("virtio-blk")]
public sealed partial class VirtioBlock : VirtioDevice
{
    /// <summary>Bytes of a sector, the unit of the protocol whatever the disk's block size.</summary>
    public const int SectorSize = 512;

    /// <summary>Bytes of a serial number (GET_ID).</summary>
    public const int IdSize = 20;

    private const ushort QueueSize = 256;
    private const uint MaxRangeSectors = 1 << 22, MaxRanges = 16;

    private readonly IBlockBackend _backend;
    private readonly string _serial;
    private readonly Lock _poolLock = new();
    private readonly WorkCount _work = new();

    [NotSaved("requests to use again")]
    private readonly Stack<BlockRequest> _pool = new();

    /// <param name="serial">At most 20 ASCII bytes; longer ones are cut.</param>
    /// <param name="queues">1 to 64; one for each virtual CPU is best.</param>
    /// <exception cref="ArgumentOutOfRangeException">Not so many queues.</exception>
    public VirtioBlock(AddressSpace memory, IBlockBackend backend, string serial = "", int queues = 1, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Block, "virtio-blk", memory, Sizes(queues), options, log)
    {
        _backend = backend;
        _serial = serial;
    }

    public override int ConfigSize => BlockConfig.Size;

    internal IBlockBackend Backend => _backend;

    protected override ulong DeviceFeatures => BlockFeature.SegMax | BlockFeature.BlkSize | BlockFeature.Flush | BlockFeature.Topology
        | (Queues.Length > 1 ? BlockFeature.Mq : 0)
        | (_backend.ReadOnly ? BlockFeature.ReadOnly : BlockFeature.Discard | BlockFeature.WriteZeroes);

    /// <summary>The back end's length changed: the driver is told.</summary>
    public void Resized() => ConfigChanged();

    public override void Drain() => _work.Drain();

    protected override void FillConfig(Span<byte> config)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(config[BlockConfig.Capacity..], _backend.Length / SectorSize);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.SegMax..], QueueSize - 2);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.BlkSize..], SectorSize);
        // Host files live in pages: 2^3 sectors make a physical block.
        config[BlockConfig.PhysicalBlockExp] = 3;
        BinaryPrimitives.WriteUInt16LittleEndian(config[BlockConfig.MinIoSize..], 8);
        BinaryPrimitives.WriteUInt16LittleEndian(config[BlockConfig.NumQueues..], (ushort)Queues.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.MaxDiscardSectors..], MaxRangeSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.MaxDiscardSeg..], MaxRanges);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.DiscardSectorAlignment..], 8);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.MaxWriteZeroesSectors..], MaxRangeSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(config[BlockConfig.MaxWriteZeroesSeg..], MaxRanges);
        config[BlockConfig.WriteZeroesMayUnmap] = 1;
    }

    protected override void QueueNotified(int queue)
    {
        Virtqueue q = Queues[queue];
        lock (q.Lock)
        {
            BlockRequest? request = null;
            do
            {
                q.DisableNotifications();
                while (q.TryPop((request ??= Rent()).Chain))
                {
                    _work.Begin();
                    request.Start(q);
                    request = null;
                }
            }
            while (q.EnableNotifications());
            if (request is not null)
                Return(request);
        }
    }

    /// <summary>The serial number as GET_ID returns it: padded with zeroes, not terminated when it is full.</summary>
    internal void FillId(Span<byte> id)
    {
        id.Clear();
        Span<byte> all = stackalloc byte[Encoding.UTF8.GetMaxByteCount(_serial.Length)];
        int n = Encoding.UTF8.GetBytes(_serial, all);
        all[..Math.Min(n, id.Length)].CopyTo(id);
    }

    internal void Guest(string mistake) => Log.Guest(mistake);

    /// <summary>A request has been pushed.</summary>
    internal void Done(BlockRequest request)
    {
        Return(request);
        _work.End();
    }

    /// <summary>The largest discard or write-zeroes that the configuration allows.</summary>
    internal static bool RangeAllowed(uint sectors, int ranges) => sectors <= MaxRangeSectors && ranges <= MaxRanges;

    private BlockRequest Rent()
    {
        lock (_poolLock)
        {
            if (_pool.TryPop(out BlockRequest? request))
                return request;
        }
        return new BlockRequest(this);
    }

    private void Return(BlockRequest request)
    {
        lock (_poolLock)
            _pool.Push(request);
    }

    private static ushort[] Sizes(int queues)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(queues, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(queues, 64);
        ushort[] sizes = new ushort[queues];
        Array.Fill(sizes, QueueSize);
        return sizes;
    }
}
