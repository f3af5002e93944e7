using System.Buffers.Binary;
using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Nvme;

/// <summary>Commands of the NVM command set (NVMe 1.4, chapter 6).</summary>
public sealed partial class NvmeController
{
    private const uint Broadcast = uint.MaxValue, ForceUnitAccess = 1u << 30, Deallocate = 1u << 25;
    private const int RangeSize = 16;

    private void Io(int queue, in NvmeEntry entry)
    {
        NvmeRequest request = _pool.TryPop(out NvmeRequest? idle) ? idle : new NvmeRequest(this);
        request.Id = entry.Id;
        request.Queue = queue;
        request.Epoch = _epoch;
        ushort status = Io(request, entry);
        if (status == NvmeStatus.Success)
            return;
        request.Buffer.Clear();
        _pool.Push(request);
        Post(queue, entry.Id, status);
    }

    /// <returns>Success when the command is under way or done, otherwise why it cannot begin.</returns>
    private ushort Io(NvmeRequest request, in NvmeEntry entry)
    {
        if (entry.Opcode == NvmeOp.Flush && entry.Nsid == Broadcast)
        {
            Promise(request);
            request.Start(FlushAllAsync());
            return NvmeStatus.Success;
        }
        if (entry.Nsid == 0 || entry.Nsid > (uint)_disks.Length)
            return NvmeStatus.InvalidNamespace;
        IBlockBackend disk = _disks[entry.Nsid - 1];
        ulong block = entry.Cdw10 | (ulong)entry.Cdw11 << 32, blocks = disk.Length / BlockSize;
        uint count = (entry.Cdw12 & 0xffff) + 1;
        bool inside = block <= blocks && count <= blocks - block;
        switch (entry.Opcode)
        {
            case NvmeOp.Flush:
                Promise(request);
                request.Start(disk, new Transfer(TransferKind.Flush));
                return NvmeStatus.Success;
            case NvmeOp.Read or NvmeOp.Write:
                if (!inside)
                    return NvmeStatus.LbaOutOfRange;
                bool reads = entry.Opcode == NvmeOp.Read;
                if (!reads && disk.ReadOnly)
                    return NvmeStatus.ReadOnly;
                uint length = count * BlockSize;
                if (length > PageSize << MaxTransferShift)
                    return NvmeStatus.InvalidField;
                ushort status = Gather(request.Buffer, entry, length, writable: reads);
                if (status != NvmeStatus.Success)
                    return status;
                Promise(request);
                // Without a write cache (feature 6) every write is on stable storage when it ends.
                bool flush = !reads && ((entry.Cdw12 & ForceUnitAccess) != 0 || (_features[6] & 1) == 0);
                request.Start(disk, new Transfer(reads ? TransferKind.Read : TransferKind.Write, block * BlockSize, length, flush));
                return NvmeStatus.Success;
            case NvmeOp.WriteZeroes:
                if (!inside)
                    return NvmeStatus.LbaOutOfRange;
                if (disk.ReadOnly)
                    return NvmeStatus.ReadOnly;
                Promise(request);
                request.Start(disk.WriteZeroesAsync(block * BlockSize, (ulong)count * BlockSize, (entry.Cdw12 & Deallocate) != 0));
                return NvmeStatus.Success;
            case NvmeOp.DatasetManagement:
                return ManageDataset(request, entry, disk);
            default:
                return NvmeStatus.InvalidOpcode;
        }
    }

    /// <summary>The command goes to a back end; its end has a place.</summary>
    private void Promise(NvmeRequest request)
    {
        request.Life = _lives[request.Queue];
        request.CompletionQueue = _queues.Submission[request.Queue].Completion;
        _queues.Promised[request.CompletionQueue]++;
        _work.Begin();
    }

    private async ValueTask<BlockStatus> FlushAllAsync()
    {
        BlockStatus result = BlockStatus.Ok;
        foreach (IBlockBackend disk in _disks)
        {
            BlockStatus status = await disk.FlushAsync().ConfigureAwait(false);
            if (status != BlockStatus.Ok)
                result = status;
        }
        return result;
    }

    /// <summary>Section 6.7: ranges to deallocate; hints about access are taken and forgotten.</summary>
    private ushort ManageDataset(NvmeRequest request, in NvmeEntry entry, IBlockBackend disk)
    {
        const uint AttributeDeallocate = 4;
        int ranges = (int)(entry.Cdw10 & 0xff) + 1;
        ushort status = Gather(request.Buffer, entry, (uint)(ranges * RangeSize), writable: false);
        if (status != NvmeStatus.Success)
            return status;
        byte[] list = new byte[ranges * RangeSize];
        request.Buffer.Read(0, list);
        if (disk.ReadOnly)
            return NvmeStatus.ReadOnly;
        ulong blocks = disk.Length / BlockSize;
        for (int i = 0; i < ranges; i++)
        {
            (ulong block, uint count) = Range(list, i);
            if (block > blocks || count > blocks - block)
                return NvmeStatus.LbaOutOfRange;
        }
        Promise(request);
        request.Start((entry.Cdw11 & AttributeDeallocate) != 0 ? DeallocateAsync(disk, list, ranges) : new ValueTask<BlockStatus>(BlockStatus.Ok));
        return NvmeStatus.Success;
    }

    private static (ulong Block, uint Count) Range(byte[] list, int index)
        => (BinaryPrimitives.ReadUInt64LittleEndian(list.AsSpan(index * RangeSize + 8)), BinaryPrimitives.ReadUInt32LittleEndian(list.AsSpan(index * RangeSize + 4)));

    private static async ValueTask<BlockStatus> DeallocateAsync(IBlockBackend disk, byte[] list, int ranges)
    {
        for (int i = 0; i < ranges; i++)
        {
            (ulong block, uint count) = Range(list, i);
            if (count == 0)
                continue;
            BlockStatus status = await disk.DiscardAsync(block * BlockSize, (ulong)count * BlockSize).ConfigureAwait(false);
            // Advice: a host that cannot follow it does no harm.
            if (status is not (BlockStatus.Ok or BlockStatus.NotSupported))
                return status;
        }
        return BlockStatus.Ok;
    }

    /// <summary>Finds the memory of a transfer: physical region pages (section 4.3).</summary>
    private ushort Gather(DmaBuffer buffer, in NvmeEntry entry, uint length, bool writable)
    {
        const ulong OffsetMask = PageSize - 1;
        buffer.Clear();
        uint first = Math.Min(length, PageSize - (uint)(entry.Prp1 & OffsetMask));
        if ((entry.Prp1 & 3) != 0)
            return NvmeStatus.InvalidPrpOffset;
        if (!buffer.Add(_memory, entry.Prp1, first, writable))
            return NvmeStatus.DataTransferError;
        uint left = length - first;
        if (left == 0)
            return NvmeStatus.Success;
        if (left <= PageSize)
        {
            return (entry.Prp2 & OffsetMask) != 0 ? NvmeStatus.InvalidPrpOffset
                : buffer.Add(_memory, entry.Prp2, left, writable) ? NvmeStatus.Success : NvmeStatus.DataTransferError;
        }
        if ((entry.Prp2 & 7) != 0)
            return NvmeStatus.InvalidPrpOffset;
        Span<byte> bytes = stackalloc byte[8];
        for (ulong at = entry.Prp2; left != 0;)
        {
            if (!_memory.Read(at, bytes))
                return NvmeStatus.DataTransferError;
            ulong page = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            if ((page & OffsetMask) != 0)
                return NvmeStatus.InvalidPrpOffset;
            // The last entry of a page of the list names the next one, if that one is needed.
            if ((at & OffsetMask) == OffsetMask - 7 && left > PageSize)
            {
                at = page;
                continue;
            }
            uint n = Math.Min(left, PageSize);
            if (!buffer.Add(_memory, page, n, writable))
                return NvmeStatus.DataTransferError;
            left -= n;
            at += 8;
        }
        return NvmeStatus.Success;
    }
}
