namespace Myna.Machines;

/// <summary>The components that have something to say about the guest, as logs name them.</summary>
public static class LogNames
{
    public const string Cpu = "cpu", Hart = "hart", Firmware = "firmware", Ahci = "ahci", Nvme = "nvme",
        VirtioBlock = "virtio-blk", VirtioNet = "virtio-net", VirtioConsole = "virtio-console", VirtioEntropy = "virtio-rng", VirtioBalloon = "virtio-balloon",
        VirtioScsi = "virtio-scsi", VirtioGpu = "virtio-gpu", VirtioInput = "virtio-input", E1000 = "e1000", Rtl8139 = "rtl8139", Xhci = "xhci", Watchdog = "watchdog", Panic = "pvpanic", Tpm = "tpm", Sd = "sd";

    /// <summary>All of them at once.</summary>
    public const string All = "all";

    public static IReadOnlyList<string> Known { get; } = [Cpu, Hart, Firmware, Ahci, Nvme, VirtioBlock, VirtioNet, VirtioConsole, VirtioEntropy, VirtioBalloon, VirtioScsi, VirtioGpu, VirtioInput, E1000, Rtl8139, Xhci, Watchdog, Panic, Tpm, Sd];
}
