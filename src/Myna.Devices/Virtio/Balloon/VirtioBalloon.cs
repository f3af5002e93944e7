using System.Buffers.Binary;
using Myna.Hardware.Diagnostics;
using Myna.Hardware.Memory;
using Myna.Hardware.State;

namespace Myna.Devices.Virtio.Balloon;

/// <summary>
/// The memory balloon (virtio 1.2, section 5.5): the driver gives the host pages that the guest does without, as many as it is asked for,
/// and reports pages that are free at the moment; both read as zero when they are used again. Queues: inflate, deflate, statistics,
/// reports. Drivers count queues of features that are not offered in different ways, so that reports are taken from the fifth queue too.
/// </summary>
[Stateful("virtio-balloon")]
public sealed partial class VirtioBalloon : VirtioDevice
{
    public const ulong FeatureStatistics = 1 << 1, FeatureDeflateOnOom = 1 << 2, FeatureReporting = 1 << 5;

    /// <summary>Bytes of the pages that numbers count, whatever pages the guest has.</summary>
    public const int PageSize = 4096;

    private const int Inflate = 0, Deflate = 1, Statistics = 2, Reports = 3, OtherReports = 4;

    private const ulong ActualAt = 4;

    // Queues are worked on side by side.
    [NotSaved("scratch")] private readonly DescriptorChain[] _chains = [new(), new(), new(), new(), new()];

    [Saved(20)] private uint _target;
    [Saved(21)] private uint _actual;
    [NotSaved("statistics")] private ulong _returned;

    public VirtioBalloon(AddressSpace memory, VirtioOptions? options = null, LogChannel? log = null)
        : base(VirtioDeviceId.Balloon, "virtio-balloon", memory, [128, 128, 128, 128, 128], options, log)
    {
    }

    /// <summary>Pages that the driver is to give up. Any thread.</summary>
    public uint Target
    {
        get => Volatile.Read(ref _target);
        set
        {
            if (Interlocked.Exchange(ref _target, value) != value && Running)
                ConfigChanged();
        }
    }

    /// <summary>Pages that the driver has given up, as it says itself.</summary>
    public uint Actual => Volatile.Read(ref _actual);

    /// <summary>Bytes that the host got back since the machine was made, reports included.</summary>
    public ulong Returned => Volatile.Read(ref _returned);

    private const int StatisticSize = 10, MaximumStatistics = 64;

    [NotSaved("what the driver said last; it says it again when asked")] private readonly ulong[] _statistics = new ulong[MaximumStatistics];
    [NotSaved("as above")] private ulong _statisticsKnown;
    [NotSaved("answers of the driver")] private int _answers;

    /// <summary>Names of statistics by their tags (section 5.5.6.3.1 and Linux, virtio_balloon.h). Bytes, or counts of events.</summary>
    public static IReadOnlyList<string> StatisticNames { get; } =
        ["swap-in", "swap-out", "major-faults", "minor-faults", "free-memory", "total-memory", "available-memory", "disk-caches", "hugetlb-allocations", "hugetlb-failures",
         "oom-kills", "allocation-stalls", "async-scans", "direct-scans", "async-reclaims", "direct-reclaims"];

    /// <summary>How often the driver has answered <see cref="AskStatistics"/>, its first unasked answer included.</summary>
    public int StatisticAnswers => Volatile.Read(ref _answers);

    /// <summary>Gives the driver its buffer back, which it fills anew. Any thread; the answer comes when the guest runs.</summary>
    /// <returns>False: there is no driver, it has no statistics, or has not yet answered.</returns>
    public bool AskStatistics()
    {
        if (!Running || !Negotiated(FeatureStatistics))
            return false;
        Virtqueue q = Queues[Statistics];
        lock (q.Lock)
        {
            DescriptorChain chain = _chains[Statistics];
            if (!q.TryPop(chain))
                return false;
            Take(chain);
            q.Push(chain, 0);
            q.Signal();
            _ = q.EnableNotifications();
            return true;
        }
    }

    /// <summary>What the driver last gave back with <see cref="AskStatistics"/>, by tag; null: it did not say.</summary>
    public ulong? Statistic(int tag)
    {
        lock (Queues[Statistics].Lock)
            return (_statisticsKnown >> tag & 1) != 0 ? _statistics[tag] : null;
    }

    // Tags of two bytes, values of eight.
    private void Take(DescriptorChain chain)
    {
        _statisticsKnown = 0;
        Span<byte> item = stackalloc byte[StatisticSize];
        for (uint at = 0; at + StatisticSize <= chain.ReadableLength && at < StatisticSize * MaximumStatistics; at += StatisticSize)
        {
            if (chain.Read(at, item) != StatisticSize)
                return;
            int tag = BinaryPrimitives.ReadUInt16LittleEndian(item);
            if (tag >= MaximumStatistics)
                continue;
            _statistics[tag] = BinaryPrimitives.ReadUInt64LittleEndian(item[2..]);
            _statisticsKnown |= 1UL << tag;
        }
    }

    public override int ConfigSize => 8;

    protected override ulong DeviceFeatures => FeatureStatistics | FeatureDeflateOnOom | FeatureReporting;

    protected override void FillConfig(Span<byte> config)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(config, _target);
        BinaryPrimitives.WriteUInt32LittleEndian(config[4..], _actual);
    }

    internal override void WriteConfig(ulong offset, int size, ulong value)
    {
        if (offset == ActualAt && size == 4)
            _actual = (uint)value;
    }

    protected override void Deactivated() => _actual = 0;

    // Numbers of pages, four bytes each.
    private void TakePages(DescriptorChain chain)
    {
        Span<byte> numbers = stackalloc byte[256];
        for (uint at = 0; at < chain.ReadableLength;)
        {
            int count = chain.Read(at, numbers);
            if (count <= 0)
                return;
            at += (uint)count;
            for (int i = 0; i + 4 <= count; i += 4)
            {
                ulong address = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(numbers[i..]) * PageSize;
                if (Memory.FindRam(address, PageSize, out Ram? ram, out ulong offset, out int run) && !ram.ReadOnly && run >= PageSize)
                    Return(ram, offset, PageSize);
            }
        }
    }

    // The free pages themselves, as buffers that the device may write.
    private void TakeReport(DescriptorChain chain)
    {
        for (int i = 0; chain.TryGetWritableSegment(i, out Ram? ram, out ulong offset, out int length); i++)
        {
            ulong first = (offset + PageSize - 1) & ~(ulong)(PageSize - 1), end = (offset + (ulong)length) & ~(ulong)(PageSize - 1);
            if (first < end)
                Return(ram, first, end - first);
        }
    }

    private void Return(Ram ram, ulong offset, ulong length)
    {
        ram.Discard(offset, length);
        Interlocked.Add(ref _returned, length);
    }

    protected override void QueueNotified(int queue)
    {
        Virtqueue q = Queues[queue];
        lock (q.Lock)
        {
            // The driver keeps one buffer of statistics there until it is asked for (section 5.5.6.3).
            if (queue == Statistics)
            {
                _answers++;
                return;
            }
            DescriptorChain chain = _chains[queue];
            do
            {
                q.DisableNotifications();
                while (q.TryPop(chain))
                {
                    if (queue == Inflate)
                        TakePages(chain);
                    else if (queue is Reports or OtherReports)
                        TakeReport(chain);
                    q.Push(chain, 0);
                }
                q.Signal();
            }
            while (q.EnableNotifications());
        }
    }
}
