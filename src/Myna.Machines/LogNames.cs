namespace Myna.Machines;

/// <summary>The components that have something to say about the guest, as logs name them.</summary>
public static class LogNames
{
<<<<<<< HEAD
    public const string Cpu = "cpu", Hart = "hart", Firmware = "firmware", Ahci = "ahci",
        VirtioBlock = "virtio-blk", VirtioNet = "virtio-net", VirtioConsole = "virtio-console", VirtioEntropy = "virtio-rng";
=======
    public const string Cpu = "cpu", Hart = "hart", Firmware = "firmware",
        VirtioBlock = "virtio-blk", VirtioNet = "virtio-net", VirtioConsole = "virtio-console", VirtioEntropy = "virtio-rng", VirtioGpu = "virtio-gpu", VirtioInput = "virtio-input";
>>>>>>> 8dd8570 (screens: VGA with the Bochs VBE, virtio-gpu and virtio-input, ramfb, VNC server, screenshots)

    /// <summary>All of them at once.</summary>
    public const string All = "all";

<<<<<<< HEAD
    public static IReadOnlyList<string> Known { get; } = [Cpu, Hart, Firmware, Ahci, VirtioBlock, VirtioNet, VirtioConsole, VirtioEntropy];
=======
    public static IReadOnlyList<string> Known { get; } = [Cpu, Hart, Firmware, VirtioBlock, VirtioNet, VirtioConsole, VirtioEntropy, VirtioGpu, VirtioInput];
>>>>>>> 8dd8570 (screens: VGA with the Bochs VBE, virtio-gpu and virtio-input, ramfb, VNC server, screenshots)
}
