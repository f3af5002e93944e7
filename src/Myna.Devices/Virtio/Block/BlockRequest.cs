using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Virtio.Block;

/// <summary>One request of a <see cref="VirtioBlock"/>, from its descriptors to its status byte. Pooled.</summary>
internal sealed class BlockRequest
{
    private const int HeaderSize = 16, RangeSize = 16;
    private const uint UnmapFlag = 1;

    private readonly VirtioBlock _device;
    private readonly List<Memory<byte>> _reads = [];
    private readonly List<ReadOnlyMemory<byte>> _writes = [];
    private readonly BackendWork _work;
    private Virtqueue _queue = null!;
    private uint _written;
    private bool _wrote;

    public BlockRequest(VirtioBlock device)
    {
        _device = device;
        _work = new BackendWork(Ended);
    }

    public DescriptorChain Chain { get; } = new();

    /// <summary>Begins the request that <see cref="Chain"/> holds. The queue is locked.</summary>
    public void Start(Virtqueue queue)
    {
        _queue = queue;
        _written = 0;
        _wrote = false;
        Span<byte> header = stackalloc byte[HeaderSize];
        if (Chain.WritableLength == 0 || Chain.Read(0, header) != HeaderSize)
        {
            // Section 5.2.6: without header or room for the status there is no way to answer.
            _device.SetNeedsReset($"queue {queue.Index}: a request without header or status");
            _device.Done(this);
            return;
        }
        var type = (BlockRequestType)BinaryPrimitives.ReadUInt32LittleEndian(header);
        ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        switch (type)
        {
            case BlockRequestType.In:
                Read(sector);
                break;
            case BlockRequestType.Out:
                Write(sector);
                break;
            case BlockRequestType.Flush:
                _work.Begin(_device.Backend.FlushAsync());
                break;
            case BlockRequestType.GetId:
                GetId();
                break;
            case BlockRequestType.Discard:
            case BlockRequestType.WriteZeroes:
                _work.Begin(ChangeRanges(type));
                break;
            default:
                Finish(BlockRequestStatus.Unsupp);
                break;
        }
    }

    private void Read(ulong sector)
    {
        uint length = Chain.WritableLength - 1;
        if (!InDisk(sector, length))
        {
            Finish(BlockRequestStatus.IoErr);
            return;
        }
        _written = length;
        _wrote = true;
        Chain.GetWritable(0, length, _reads);
        _work.Begin(_device.Backend.ReadAsync(sector * VirtioBlock.SectorSize, _reads));
    }

    private void Write(ulong sector)
    {
        uint length = Chain.ReadableLength - HeaderSize;
        if (!InDisk(sector, length) || _device.Backend.ReadOnly)
        {
            Finish(BlockRequestStatus.IoErr);
            return;
        }
        // Section 5.2.6.2: a driver that cannot flush gets a write-through disk.
        IBlockBackend? flush = _device.Negotiated(BlockFeature.Flush) ? null : _device.Backend;
        Chain.GetReadable(HeaderSize, length, _writes);
        _work.Begin(_device.Backend.WriteAsync(sector * VirtioBlock.SectorSize, _writes), flush);
    }

    private bool InDisk(ulong sector, ulong length)
    {
        ulong sectors = _device.Backend.Length / VirtioBlock.SectorSize;
        bool inside = length != 0 && length % VirtioBlock.SectorSize == 0 && sector <= sectors && length / VirtioBlock.SectorSize <= sectors - sector;
        if (!inside)
            _device.Guest($"a request for {length} bytes at sector {sector} of {sectors}");
        return inside;
    }

    private void GetId()
    {
        Span<byte> id = stackalloc byte[VirtioBlock.IdSize];
        _device.FillId(id);
        _written = (uint)Chain.Write(0, id[..(int)Math.Min((uint)id.Length, Chain.WritableLength - 1)]);
        Finish(BlockRequestStatus.Ok);
    }

    /// <summary>Discard and write zeroes: a list of ranges (section 5.2.6, struct virtio_blk_discard_write_zeroes).</summary>
    private async ValueTask<BlockStatus> ChangeRanges(BlockRequestType type)
    {
        uint length = Chain.ReadableLength - HeaderSize;
        if (length == 0 || length % RangeSize != 0)
            return BlockStatus.OutOfRange;
        if (_device.Backend.ReadOnly)
            return BlockStatus.ReadOnly;
        byte[] range = new byte[RangeSize];
        for (uint at = 0; at < length; at += RangeSize)
        {
            _ = Chain.Read(HeaderSize + at, range);
            ulong sector = BinaryPrimitives.ReadUInt64LittleEndian(range);
            uint sectors = BinaryPrimitives.ReadUInt32LittleEndian(range.AsSpan(8));
            uint flags = BinaryPrimitives.ReadUInt32LittleEndian(range.AsSpan(12));
            bool zeroes = type == BlockRequestType.WriteZeroes;
            // Section 5.2.6.2: unknown flags, and unmap on a discard, are unsupported.
            if ((flags & ~(zeroes ? UnmapFlag : 0)) != 0)
                return BlockStatus.NotSupported;
            if (!VirtioBlock.RangeAllowed(sectors, (int)(length / RangeSize)) || !InDisk(sector, (ulong)sectors * VirtioBlock.SectorSize))
                return BlockStatus.OutOfRange;
            ulong offset = sector * VirtioBlock.SectorSize, bytes = (ulong)sectors * VirtioBlock.SectorSize;
            BlockStatus status = zeroes
                ? await _device.Backend.WriteZeroesAsync(offset, bytes, (flags & UnmapFlag) != 0).ConfigureAwait(false)
                : await _device.Backend.DiscardAsync(offset, bytes).ConfigureAwait(false);
            // A discard is advice: a host that cannot follow it does no harm.
            if (status != BlockStatus.Ok && (zeroes || status != BlockStatus.NotSupported))
                return status;
        }
        bool flush = type == BlockRequestType.WriteZeroes && !_device.Negotiated(BlockFeature.Flush);
        return flush ? await _device.Backend.FlushAsync().ConfigureAwait(false) : BlockStatus.Ok;
    }

    private void Ended(BlockStatus status)
    {
        Finish(status switch
        {
            BlockStatus.Ok => BlockRequestStatus.Ok,
            BlockStatus.NotSupported => BlockRequestStatus.Unsupp,
            _ => BlockRequestStatus.IoErr,
        });
    }

    /// <summary>Writes the status into the last writable byte and gives the buffer back.</summary>
    private void Finish(BlockRequestStatus status)
    {
        _reads.Clear();
        _writes.Clear();
        if (_wrote)
            Chain.NoteWritten();
        // Section 2.7.8.2: the used length counts from the first writable byte without a gap.
        uint written = status == BlockRequestStatus.Ok ? _written : 0;
        if (written + 1 == Chain.WritableLength)
            written++;
        lock (_queue.Lock)
        {
            _ = Chain.Write(Chain.WritableLength - 1, [(byte)status]);
            _queue.Push(Chain, written);
            _queue.Signal();
        }
        _device.Done(this);
    }
}
