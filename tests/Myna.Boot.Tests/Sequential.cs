// Every test here boots a machine: side by side they would only slow each other down into their time limits.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
