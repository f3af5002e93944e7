using Myna.Devices.Storage;
using Myna.Hardware.Backends;

namespace Myna.Devices.Ata;

/// <summary>One command slot of an <see cref="AhciPort"/> at work.</summary>
internal sealed class AhciCommand(AhciPort port, int slot) : StorageRequest
{
    /// <summary>The registers, as written and as answered.</summary>
    public TaskFile Registers;

    public int Slot => slot;

    /// <summary>Where its command header lies.</summary>
    public ulong Header { get; set; }

    public Transfer Transfer { get; set; }

    /// <summary>It is at the back end.</summary>
    public bool UnderWay { get; set; }

    /// <summary>The life of the port's command list that it belongs to.</summary>
    public int Epoch { get; set; }

    public bool Queued => AtaCommand.IsQueued(Registers.Command);

    /// <summary>Carries the transfer out at a back end.</summary>
    public void Start(IBlockBackend backend) => Begin(backend, Transfer);

    /// <summary>Waits for the drive to take its parameters.</summary>
    public void Start(ValueTask<BlockStatus> work) => Begin(work);

    protected override void Ended(BlockStatus status) => port.Complete(this, status);
}
